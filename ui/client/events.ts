/** What a page hears from the service over a socket, and what it hands over with a prompt. */

import type { AnyEvent } from "./service_events.ts";

export type { Ended, Provenance, SchemaFacts, SourceFacts, CitationFacts, Frame as ServerEvent } from "./service_events.ts";

/** An event of a turn; `n` is its number, 1, 2, 3 …, in a turn that can be resumed. */
export type TurnEvent = AnyEvent & { readonly n?: number };

/** How a turn can end. */
export type Outcome = "done" | "failed" | "cancelled" | "interrupted";

/** What a turn is asked with, beside its prompt. */
export interface Material {
  readonly given: readonly { readonly kind: "context" | "content"; readonly text: string }[];
  readonly address: string;
  readonly sources: readonly string[];
  readonly documents: readonly string[];
  readonly pictures: readonly string[];
  /** What the message says was sent along, in words. */
  readonly labels: readonly string[];
}

export const NO_MATERIAL: Material = {
  given: [],
  address: "",
  sources: [],
  documents: [],
  pictures: [],
  labels: [],
};
