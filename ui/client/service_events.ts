/** Made by `python -m menagerie.core.typescript`; do not edit. */

/** The turn is recorded; from here on it ends in `Done` or `Failed`, whatever happens.
 * `conversation` is the first of the sessions that branched from one another, where it is
 * another than `session`. */
export interface Accepted {
  readonly type: "accepted";
  readonly turn: string;
  readonly session: string;
  readonly persona: string;
  readonly conversation?: string;
}

/** The turn waits for an engine. `position` counts from 1; `expected_s` is an estimate in
 * seconds. */
export interface Queued {
  readonly type: "queued";
  readonly position: number;
  readonly expected_s?: number;
}

/** Something the person should know; `text` is in the language of the turn. */
export interface Notice {
  readonly type: "notice";
  readonly code: string;
  readonly text: string;
}

/** A passage that the answer may rest on, and cites by its `number`; `read` is when it was read
 * (ISO 8601). */
export interface Source {
  readonly type: "source";
  readonly number: number;
  readonly kind: string;
  readonly title?: string;
  readonly address?: string;
  readonly passage?: string;
  readonly heading?: string;
  readonly page?: number;
  readonly language?: string;
  readonly read?: string;
}

/** A token that could have stood in a place, and the logarithm of its probability. */
export interface Alternative {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[] | null;
}

/** A token of an answer, the logarithm of its probability, and what else could have stood there. */
export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[] | null;
  readonly top_logprobs: readonly Alternative[];
}

/** The next piece of the answer: the text of one token, or of the several that came at once.
 * `logprobs` are their probabilities, where they were asked for. */
export interface Token {
  readonly type: "token";
  readonly text: string;
  readonly logprobs?: readonly TokenLogprob[];
}

/** The answer cites source `number` for its text from `start` to `end` (characters from its
 * beginning): whether that source supports it (`supported`, `unsupported`, `unknown`), and who
 * put the citation there (`model`, `service`). */
export interface Citation {
  readonly type: "citation";
  readonly number: number;
  readonly start: number;
  readonly end: number;
  readonly verdict: string;
  readonly by?: string;
}

/** The model wants a function called, whose `arguments`, a JSON object as text, meet its schema. */
export interface Called {
  readonly type: "called";
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** Which weights answered. `sha256` is that of the file; empty for a remote engine, which does
 * not tell. */
export interface ModelFacts {
  readonly name: string;
  readonly file?: string;
  readonly sha256?: string;
  readonly architecture?: string;
  readonly quantization?: string;
  readonly parameters?: string;
  readonly licence?: string;
  readonly source?: string;
}

/** What an answer rests on: pasted text, or a passage of a page or of a document, which is kept
 * word for word. */
export interface SourceFacts {
  readonly number: number;
  readonly kind: string;
  readonly title?: string;
  readonly address?: string;
  readonly characters?: number;
  readonly heading?: string;
  readonly page?: number;
  readonly language?: string;
  readonly read?: string;
  readonly passage?: string;
}

/** What the answer cites for its text from `start` to `end`. See the event `Citation`. */
export interface CitationFacts {
  readonly number: number;
  readonly start: number;
  readonly end: number;
  readonly verdict: string;
  readonly by?: string;
}

/** Milliseconds since the turn was accepted. */
export interface Timings {
  readonly grounding_ms?: number;
  readonly queued_ms?: number;
  readonly first_token_ms?: number;
  readonly total_ms?: number;
}

/** How far a structured answer is held to its schema, and how it came about. */
export interface SchemaFacts {
  readonly verdict: string;
  readonly strength: string;
  readonly guaranteed?: readonly string[];
  readonly verified?: readonly string[];
  readonly attempts?: number;
  readonly closed?: boolean;
  readonly repaired?: boolean;
}

/** The account of one answer. */
export interface Provenance {
  readonly service: string;
  readonly persona: string;
  readonly language: string;
  readonly model: ModelFacts;
  readonly started: string;
  readonly wanted_model?: string;
  readonly finish?: string;
  readonly prompt_tokens?: number;
  readonly cached_tokens?: number;
  readonly answer_tokens?: number;
  readonly answer_language?: string;
  readonly dropped_messages?: number;
  readonly sources?: readonly SourceFacts[];
  readonly citations?: readonly CitationFacts[];
  readonly timings?: Timings;
  readonly schema?: SchemaFacts;
  readonly ai_generated?: boolean;
}

/** The answer is complete, and stored. */
export interface Done {
  readonly type: "done";
  readonly turn: string;
  readonly session: string;
  readonly provenance: Provenance;
}

/** The turn is over without a complete answer. `code` is stable, `message` is for the person. */
export interface Failed {
  readonly type: "failed";
  readonly code: string;
  readonly message: string;
  readonly turn?: string;
  readonly session?: string;
  readonly retry_after?: number;
}

/** How a turn ended, as it is stored: in the place of all its events. `code` and `message` are
 * those of a `Failed`, empty where the answer is complete; `answer` is what there is of it. */
export interface Ended {
  readonly type: "ended";
  readonly turn: string;
  readonly session: string;
  readonly conversation: string;
  readonly outcome: "cancelled" | "done" | "failed" | "interrupted";
  readonly code: string;
  readonly message: string;
  readonly answer: string;
  readonly provenance: Provenance | null;
}

/** The connection is alive. It belongs to no turn. */
export interface Pong {
  readonly type: "pong";
}

export type AnyEvent =
  | Accepted
  | Queued
  | Notice
  | Source
  | Token
  | Citation
  | Called
  | Done
  | Failed
  | Ended;

/** `n` counts the events of a turn that can be resumed, from 1. */
export type Frame = (AnyEvent & { readonly n?: number }) | Pong;
