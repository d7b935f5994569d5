/** A picture made ready to be sent: decoded by the browser, scaled down, written anew without what a camera notes. */

import { scaled, sentAs } from "./scaling.ts";

const QUALITY = [0.88, 0.7, 0.5];

/** A picture of at most `most` bytes. Rejects with `unreadable` for what the browser cannot show. */
export async function prepared(file: Blob, most: number): Promise<Blob> {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => {
    throw new Error("unreadable");
  });
  try {
    const type = sentAs(file.type);
    const canvas = drawn(picture, type);
    if (type === "image/png") {
      const sharp = await written(canvas, type);
      if (sharp.size <= most) return sharp;
    }
    const flat = type === "image/png" ? drawn(picture, "image/jpeg") : canvas;
    for (const quality of QUALITY) {
      const small = await written(flat, "image/jpeg", quality);
      if (small.size <= most) return small;
    }
    throw new Error("unreadable");
  } finally {
    picture.close();
  }
}

function drawn(picture: ImageBitmap, type: string): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, scaled(picture));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("unreadable");
  if (type === "image/jpeg") {
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function written(canvas: HTMLCanvasElement, type: string, quality?: number): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("unreadable"))), type, quality);
  });
}
