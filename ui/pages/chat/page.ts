/** The elements that the server's page has, and what its script is told. */

import type { Features } from "../../parts/material/features.ts";

export interface Told {
  /** A name for whoever asks, to tell people apart who share a tab. */
  readonly who: string;
  readonly persona: string;
  readonly name: string;
  readonly language: string;
  readonly socket: string;
  readonly texts: Readonly<Record<string, string>>;
  /** The highest classification of what may be written here, in words; empty where none is set. */
  readonly classification: string;
  /** What the persona offers to send along. */
  readonly features: Features;
}

/** An element of the page, which must be there. */
export function element<E extends HTMLElement>(id: string, kind: new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`#${id} is missing`);
  return found;
}

/** What the page tells its script. */
export function told(): Told {
  return JSON.parse(element("chat", HTMLDivElement).dataset["page"] ?? "{}") as Told;
}
