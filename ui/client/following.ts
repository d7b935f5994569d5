/**
 * How one turn is followed over connections that may be lost at any moment: what is sent when one stands, and which
 * of its events are new. Asking is idempotent: an ask that was never accepted is sent again under the same name.
 */

import type { Material, TurnEvent } from "./events.ts";

/** What is asked, by the name of the request. `after`: the turn that it follows, "" for none at all. */
export interface Ask {
  readonly request: string;
  readonly prompt: string;
  readonly session: string;
  readonly after: string;
  readonly material: Material;
}

export type Verdict = "new" | "seen" | "gap" | "unknown";

export class Following {
  /** The number of the last event that was taken. */
  seen = 0;
  accepted: boolean;
  /** Whether the turn's end was taken. */
  over = false;
  readonly name: string;
  readonly #ask: Ask | null;

  /** Follow what `ask` begins, or, where that is null, the turn or request called `name`. */
  constructor(ask: Ask | null, name = "", accepted = ask === null) {
    this.#ask = ask;
    this.name = ask?.request ?? name;
    this.accepted = accepted;
  }

  /** The frame for a connection that stands now. */
  frame(): string {
    if (this.accepted || !this.#ask) return JSON.stringify({ resume: this.name, seen: this.seen });
    this.seen = 0;
    return JSON.stringify(askFrame(this.#ask));
  }

  /** Nobody knows the request: whether it can be asked again. Then `frame` does. */
  askAgain(): boolean {
    if (!this.#ask || this.seen > 0) return false;
    this.accepted = false;
    return true;
  }

  /**
   * Take an event of this turn. `seen`: it is to be dropped; `gap`: one before it is missing, so resume on a new
   * connection; `unknown`: nobody knows this turn.
   */
  take(event: TurnEvent): Verdict {
    if (this.over) return "seen";
    if (event.type === "failed" && event.code === "turn.unknown") return "unknown";
    if (event.n !== undefined) {
      if (event.n <= this.seen) return "seen";
      if (event.n > this.seen + 1) return "gap";
      this.seen = event.n;
    }
    if (event.type === "accepted") this.accepted = true;
    if (event.type === "done" || event.type === "failed" || event.type === "ended") this.over = true;
    return "new";
  }
}

/** A frame that asks. A turn without a conversation names neither a session nor what it follows. */
export function askFrame(ask: Ask): Record<string, unknown> {
  const { given, address, sources, documents, pictures } = ask.material;
  return {
    prompt: ask.prompt,
    session: ask.session,
    request: ask.request,
    ...(ask.session ? { after: ask.after } : {}),
    ...(given.length ? { given } : {}),
    ...(address ? { address } : {}),
    ...(sources.length ? { sources } : {}),
    ...(documents.length ? { documents } : {}),
    ...(pictures.length ? { pictures } : {}),
  };
}
