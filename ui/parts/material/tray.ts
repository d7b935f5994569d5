/** What goes along with the next message, in the order in which it came. Pure. */

import type { Material } from "../../client/events.ts";
import { FEEDS, WIKIPEDIA } from "./features.ts";

export interface TextItem {
  readonly kind: "text";
  readonly id: number;
  readonly from: "custom" | "clipboard";
  readonly text: string;
}

export interface FileItem {
  readonly kind: "document" | "picture";
  readonly id: number;
  readonly name: string;
  readonly size: number;
  readonly state: "waiting" | "sending" | "ready" | "failed";
  /** How much of it is sent, from 0 to 1. */
  readonly sent: number;
  /** Its id at the service, once it is `ready`. */
  readonly file: string;
  /** Why it is not taken, in words, where it `failed`. */
  readonly problem: string;
  /** Of a picture: a `blob:` address of this page, and what the person says that it shows. */
  readonly preview: string;
  readonly alt: string;
}

export type Item = TextItem | FileItem;

/** How things are called, in the page's language. */
export interface Names {
  text(item: TextItem): string;
  picture(item: FileItem): string;
  place(where: string): string;
}

/** What is sent of `items` and of the `places` that are chosen. What is not `ready` stays behind. */
export function materialOf(items: readonly Item[], places: readonly string[], inline: string, names: Names): Material {
  const texts = items.filter((item) => item.kind === "text");
  const files = items.filter((item): item is FileItem => item.kind !== "text" && item.state === "ready");
  const written = inline.trim();
  const given = [...(written ? [written] : []), ...texts.map((item) => item.text)];
  const own: TextItem = { kind: "text", id: 0, from: "custom", text: written };
  return {
    given: given.map((text) => ({ kind: "context", text })),
    address: "",
    sources: places,
    documents: files.filter((item) => item.kind === "document").map((item) => item.file),
    pictures: files.filter((item) => item.kind === "picture").map((item) => item.file),
    labels: [
      ...(written ? [names.text(own)] : []),
      ...texts.map((item) => names.text(item)),
      ...files.map((item) => (item.kind === "picture" ? names.picture(item) : item.name)),
      ...places.map((where) => names.place(where)),
    ],
  };
}

/** What a place is called: a collection by its title, a site by its domain. */
export function placeName(
  where: string,
  facts: readonly { readonly name: string; readonly title: string }[],
  words: { readonly wikipedia: string; readonly feeds: string },
): string {
  if (where === WIKIPEDIA) return words.wikipedia;
  if (where === FEEDS) return words.feeds;
  const name = where.startsWith("facts:") ? where.slice("facts:".length) : "";
  return name ? facts.find((one) => one.name === name)?.title || name : where;
}
