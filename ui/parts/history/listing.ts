/** What a list of conversations shows: the parts of it that have come, kept right as conversations change. */

import type { Part, Summary, Wanted } from "../../client/conversations.ts";
import { onOneLine } from "../../client/folding.ts";
import type { Change } from "../../client/library.ts";

/** Where parts of the list come from. */
export interface Source {
  list(wanted: Wanted, signal?: AbortSignal): Promise<Part>;
}

export type Phase = "loading" | "ready" | "failed";

const A_PART = 50;
/** Parts without a match that are asked for in one go; then whoever searches says whether to go on. */
const EMPTY_PARTS = 3;

export class Listing {
  phase: Phase = "loading";
  /** Conversations, the one last active first. */
  shown: readonly Summary[] = [];
  /** Where the list goes on; null at its end. */
  next: string | null = null;
  /** Why there is no list, where `phase` is `failed`. */
  error: unknown = null;
  wanted: Wanted = {};
  readonly #changed: () => void;
  #asking = new AbortController();

  /** `changed` is called whenever there is something else to show. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Begin anew with what is `wanted`. Whether that came; false where something else was wanted meanwhile. */
  async load(source: Source, wanted: Wanted): Promise<boolean> {
    this.wanted = wanted;
    return this.#fetch(source, "", []);
  }

  /** The next part: how many came. */
  async more(source: Source): Promise<number> {
    if (!this.next || this.phase === "loading") return 0;
    const before = this.shown.length;
    await this.#fetch(source, this.next, this.shown);
    return this.shown.length - before;
  }

  /** Nobody looks any more. */
  stop(): void {
    this.#asking.abort();
  }

  /** Show a change. Whether the list has to be asked for again, because only a search can tell. */
  hear(change: Change): boolean {
    switch (change.what) {
      case "remembered":
        if (this.wanted.words) return true;
        if (this.wanted.persona && this.wanted.persona !== change.summary.persona) return false;
        this.#show([again(this.#known(change.summary.id), change.summary), ...this.#without(change.summary.id)]);
        return false;
      case "renamed":
        this.#show(
          this.shown.map((one) =>
            one.id === change.summary.id ? { ...one, title: change.summary.title, named: change.summary.named } : one,
          ),
        );
        return false;
      case "deleted":
        this.#show(this.#without(change.id));
        return false;
      case "emptied":
        return true;
    }
  }

  async #fetch(source: Source, from: string, known: readonly Summary[]): Promise<boolean> {
    this.#asking.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.phase = "loading";
    this.#changed();
    try {
      let found: readonly Summary[] = [];
      let before: string | null = from;
      for (let parts = 0; before !== null && parts < EMPTY_PARTS && found.length === 0; parts++) {
        const part = await source.list({ limit: A_PART, ...this.wanted, before }, asking.signal);
        [found, before] = [part.conversations, part.next];
        if (asking.signal.aborted) return false;
      }
      const ids = new Set(known.map((one) => one.id));
      this.shown = [...known, ...found.filter((one) => !ids.has(one.id))];
      this.next = before;
      this.phase = "ready";
    } catch (error) {
      if (asking.signal.aborted) return false;
      this.error = error;
      this.phase = "failed";
    }
    this.#changed();
    return true;
  }

  #show(list: readonly Summary[]): void {
    this.shown = list;
    this.#changed();
  }

  #known(id: string): Summary | undefined {
    return this.shown.find((one) => one.id === id);
  }

  #without(id: string): Summary[] {
    return this.shown.filter((one) => one.id !== id);
  }
}

/** A conversation that went on; the title that it has stays. */
function again(known: Summary | undefined, now: Summary): Summary {
  if (!known) return now;
  const { title, named, started } = known;
  return { ...now, title: onOneLine(title) ? title : now.title, named, started, turns: Math.max(now.turns, known.turns + 1) };
}
