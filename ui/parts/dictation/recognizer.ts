/** What takes dictation: the browser today, the service another day. */

/** Why dictation ended without a text; the words are `dictation.failed.<reason>`. */
export type Failure = "denied" | "language" | "network" | "silence" | "other";

export interface Listener {
  /** The sound is being listened to. */
  began(): void;
  /** What was heard so far of what is not certain yet, replacing what was told before. */
  interim(text: string): void;
  /** A piece that is certain. */
  final(text: string): void;
  /** It is over: told once, whatever happened; with the reason where it was not asked to end. */
  ended(failure: Failure | null): void;
}

/** A way to turn speech into text. One dictation at a time. */
export interface Recognizer {
  /** Whether the sound may leave the person's machine for somebody other than this service. */
  readonly goesElsewhere: boolean;
  /** Begin, in a language of the pages. */
  start(language: string, listener: Listener): void;
  /** Listen no more; what was heard is still written down. */
  stop(): void;
  /** Listen no more, and forget what is not certain yet. */
  abort(): void;
}
