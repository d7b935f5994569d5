/** How large a picture is sent: models look at no more of it, and phones take far larger ones. Pure. */

/** Pixels of the longer side, at most. */
export const LONGEST_SIDE = 1568;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The size at which a picture of `size` is sent: never larger, in its proportions, at least one pixel wide and high. */
export function scaled(size: Size, longest: number = LONGEST_SIDE): Size {
  const factor = Math.min(1, longest / Math.max(size.width, size.height));
  return {
    width: Math.max(1, Math.round(size.width * factor)),
    height: Math.max(1, Math.round(size.height * factor)),
  };
}

/** The type under which it is sent: drawings stay sharp, photographs small. */
export function sentAs(type: string): "image/png" | "image/jpeg" {
  return type === "image/jpeg" || /hei[cf]|avif/.test(type) ? "image/jpeg" : "image/png";
}
