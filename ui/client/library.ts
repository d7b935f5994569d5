/** The conversations of whoever looks at these pages: from the service for people it knows by name, from this browser
 * for everybody else. All lists of a page, and of other tabs, hear of what changes. */

import { ConversationService, isUnknown, type Part, type Summary, type Wanted } from "./conversations.ts";
import { beginning, onOneLine } from "./folding.ts";
import { continued, KeptHere, type Remembered } from "./kept_here.ts";

const CHANNEL = "menagerie.conversations";

/** What has happened to conversations. */
export type Change =
  | { readonly what: "remembered"; readonly summary: Summary }
  | { readonly what: "renamed"; readonly summary: Summary }
  | { readonly what: "deleted"; readonly id: string }
  | { readonly what: "emptied" };

/** One list for all that a page shows; `library` gives it. */
export class Library {
  readonly service: ConversationService;
  readonly #here: KeptHere;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #tabs: BroadcastChannel | undefined;
  #kept: boolean | undefined;
  #waiting: Remembered[] = [];

  /** `tabs` leads to the same of other tabs. */
  constructor(service: ConversationService, here: KeptHere, tabs?: BroadcastChannel) {
    this.service = service;
    this.#here = here;
    this.#tabs = tabs;
    tabs?.addEventListener("message", (event: MessageEvent<Change>) => this.#hear(event.data));
  }

  /** Whether the service has the list; undefined as long as that is not known. */
  get kept(): boolean | undefined {
    return this.#kept;
  }

  /** Whether the list outlives this page, as far as is known. */
  get lasts(): boolean {
    return this.#kept !== false || this.#here.lasts;
  }

  /** Part of the list; throws as `ConversationService.list` does. */
  async list(wanted: Wanted, signal?: AbortSignal): Promise<Part> {
    if (this.#kept !== false) {
      const told = await this.service.list(wanted, signal);
      this.#kept = told.kept;
      await this.#settle();
      if (told.kept) return told;
    }
    return this.#here.part(wanted);
  }

  /** A turn has ended (or begun): its conversation is now the newest of the list. Never throws. */
  async remember(turn: Remembered): Promise<void> {
    this.#waiting.push(turn);
    try {
      if (this.#kept === undefined) await this.list({ limit: 1 });
      await this.#settle();
    } catch {
      // Who asks is not known yet; what waits is kept as soon as it is.
    }
  }

  /** Give a conversation a title, or with an empty one take it back. Throws as the service does. */
  async rename(known: Summary, title: string): Promise<Summary> {
    const clean = onOneLine(title);
    try {
      const told = await this.service.rename(known.id, clean);
      const summary = { ...known, title: told.title, named: told.named };
      if (this.#kept === false) await this.#here.rename(known.id, summary.title, summary.named);
      this.#tell({ what: "renamed", summary });
      return summary;
    } catch (error) {
      if (isUnknown(error)) await this.#gone(known.id);
      throw error;
    }
  }

  /** Delete a conversation, with the service and here. One that the service no longer has is deleted too. Throws as the
   * service does. */
  async delete(id: string): Promise<void> {
    try {
      await this.service.delete(id);
    } catch (error) {
      if (!isUnknown(error)) throw error;
    }
    await this.#gone(id);
  }

  /** The ids of all conversations. Throws as the service does. */
  async ids(): Promise<string[]> {
    const ids: string[] = [];
    let before = "";
    do {
      const { conversations, next } = await this.list({ limit: 100, before });
      ids.push(...conversations.map((one) => one.id));
      before = next ?? "";
    } while (before);
    return ids;
  }

  /** Forget the list in this browser; what the service keeps stays. */
  async forgetHere(): Promise<void> {
    await this.#here.forgetAll();
    this.#tell({ what: "emptied" });
  }

  /** Call `then` with each change, until the function that is returned is called. */
  onChange(then: (change: Change) => void): () => void {
    this.#listeners.add(then);
    return () => this.#listeners.delete(then);
  }

  async #gone(id: string): Promise<void> {
    if (this.#kept === false) await this.#here.forget(id);
    this.#tell({ what: "deleted", id });
  }

  /** Keep what was said before it was known who asks. */
  async #settle(): Promise<void> {
    if (this.#kept === undefined) return;
    const turns = this.#waiting;
    this.#waiting = [];
    for (const turn of turns) {
      const summary = this.#kept ? continued(undefined, turn) : await this.#here.remember(turn);
      this.#tell({ what: "remembered", summary: { ...summary, title: summary.title || beginning(turn.title) } });
    }
  }

  #tell(change: Change): void {
    this.#tabs?.postMessage(change);
    this.#hear(change);
  }

  #hear(change: Change): void {
    for (const then of this.#listeners) then(change);
  }
}

const libraries = new Map<string, Library>();

/** The library of a page in `language`. */
export function library(language: string): Library {
  let one = libraries.get(language);
  if (!one) {
    const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : undefined;
    one = new Library(new ConversationService(language), new KeptHere(), tabs);
    libraries.set(language, one);
  }
  return one;
}
