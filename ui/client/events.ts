/** What the service tells of a turn, as `menagerie.events.v1` writes it. See `core/events.py`. */

export type Outcome = "done" | "failed" | "cancelled" | "interrupted";
export type Verdict = "supported" | "unsupported" | "unknown";

export interface SourceFacts {
  readonly number: number;
  readonly kind: string;
  readonly title?: string;
  readonly address?: string;
  readonly passage?: string;
  readonly heading?: string;
  readonly page?: number;
  readonly language?: string;
  readonly read?: string;
  readonly characters?: number;
}

export interface CitationFacts {
  readonly number: number;
  readonly start: number;
  readonly end: number;
  readonly verdict: Verdict;
  readonly by?: "model" | "service";
}

export interface SchemaFacts {
  readonly verdict: string;
  readonly verified?: readonly string[];
  readonly attempts?: number;
  readonly closed?: boolean;
  readonly repaired?: boolean;
}

export interface Provenance {
  readonly service: string;
  readonly persona: string;
  readonly language: string;
  readonly model: Readonly<Partial<Record<string, string>>> & { readonly name: string };
  readonly started: string;
  readonly wanted_model?: string;
  readonly finish?: string;
  readonly answer_language?: string;
  readonly prompt_tokens?: number;
  readonly cached_tokens?: number;
  readonly answer_tokens?: number;
  readonly dropped_messages?: number;
  readonly sources?: readonly SourceFacts[];
  readonly citations?: readonly CitationFacts[];
  readonly timings?: { readonly queued_ms?: number; readonly first_token_ms?: number; readonly total_ms?: number };
  readonly schema?: SchemaFacts;
}

export interface Accepted {
  readonly type: "accepted";
  readonly turn: string;
  readonly session: string;
  readonly persona: string;
  /** Omitted where it is the session. */
  readonly conversation?: string;
}
export interface Queued {
  readonly type: "queued";
  readonly position: number;
  readonly expected_s?: number | null;
}
export interface Notice {
  readonly type: "notice";
  readonly code: string;
  readonly text: string;
}
export interface Source extends SourceFacts {
  readonly type: "source";
}
export interface Citation extends CitationFacts {
  readonly type: "citation";
}
export interface Token {
  readonly type: "token";
  readonly text: string;
}
export interface Called {
  readonly type: "called";
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}
export interface Done {
  readonly type: "done";
  readonly turn: string;
  readonly session: string;
  readonly provenance: Provenance;
}
export interface Failed {
  readonly type: "failed";
  readonly code: string;
  readonly message: string;
  readonly turn?: string;
  readonly session?: string;
  readonly retry_after?: number | null;
}
/** How a turn ended whose events are no longer held: it stands for all of them. */
export interface Ended {
  readonly type: "ended";
  readonly turn: string;
  readonly session: string;
  readonly conversation?: string;
  readonly outcome: Outcome;
  readonly code?: string;
  readonly message?: string;
  readonly answer: string;
  readonly provenance?: Provenance | null;
}
export interface Pong {
  readonly type: "pong";
}

/** An event of a turn; `n` is its number, 1, 2, 3 …, in a turn that can be resumed. */
export type TurnEvent = (
  | Accepted
  | Queued
  | Notice
  | Source
  | Citation
  | Token
  | Called
  | Done
  | Failed
  | Ended
) & { readonly n?: number };

export type ServerEvent = TurnEvent | Pong;

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
