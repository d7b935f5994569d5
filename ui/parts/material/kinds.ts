/** What a file is, as far as it shows before it is sent: its name, its type, its first bytes. Pure. */

import type { Features } from "./features.ts";

export type Sort = "document" | "picture" | "unsupported";

/** Why a file is not taken; the text is `material.problem.<problem>`. */
export type Problem = "empty" | "too_large" | "unsupported" | "blind" | "files_off" | "too_many";

/** Bytes by which `looksLikeText` judges. */
export const ENOUGH = 4096;

const TOLERATED = 0.02;
const TEXTS = /^text\/|^application\/(?:json|xml|x-yaml|x-ndjson|xhtml\+xml)$|\+(?:json|xml)$/;
const PICTURES = /^image\/(?!svg)/;
const PICTURE_ENDINGS = new Set(["png", "jpg", "jpeg", "webp", "gif", "avif", "heic", "heif", "bmp"]);

/** The ending of a file's name, in lower case, without its dot; empty where it has none. */
export function endingOf(name: string): string {
  return /\.([^./\\\s]{1,12})$/.exec(name)?.[1]?.toLowerCase() ?? "";
}

/** What a file is by its name and the type that the browser gives it; `unsure` where its bytes must tell. */
export function sortOf(name: string, type: string, kinds: readonly string[]): Sort | "unsure" {
  const ending = endingOf(name);
  if (PICTURES.test(type) || (!type && PICTURE_ENDINGS.has(ending))) return "picture";
  if (kinds.includes(ending)) return "document";
  return TEXTS.test(type) || !type ? "unsure" : "unsupported";
}

/** Whether these first bytes are those of a text: hardly any control characters. */
export function looksLikeText(start: Uint8Array): boolean {
  if (start[0] === 0xff && start[1] === 0xfe) return true;
  if (start[0] === 0xfe && start[1] === 0xff) return true;
  let odd = 0;
  for (const byte of start) {
    if (byte <= 0x08 || (byte >= 0x0e && byte <= 0x1a) || (byte >= 0x1c && byte <= 0x1f)) odd += 1;
  }
  return odd <= TOLERATED * start.length;
}

/** Why a file of this sort and size is not taken; null where it is. The size of pictures is seen to later. */
export function problemOf(sort: Sort, size: number, features: Features): Problem | null {
  if (sort === "picture") return features.pictures ? null : "blind";
  if (!features.files) return "files_off";
  if (sort === "unsupported") return "unsupported";
  if (size === 0) return "empty";
  return size > features.limits.document ? "too_large" : null;
}
