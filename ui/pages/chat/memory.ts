/**
 * What this tab remembers of the conversations with one persona, so that a reload at any moment loses nothing: what was
 * asked and has not ended, what is being written, and the newest turns for as long as the service is away.
 */

import { isOpen, type Turn } from "./turn.ts";

const NEWEST = 30;

export type Storing = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The place of a tab: which conversation, by its id, what it is called, and the newest turn that it shows. */
export interface Place {
  readonly conversation: string;
  readonly title: string;
  readonly leaf: string;
}

/** A turn that has not ended, and its conversation. */
export interface Pending {
  readonly conversation: string;
  readonly turn: Turn;
}

const NOWHERE: Place = { conversation: "", title: "", leaf: "" };

export class Memory {
  readonly #storage: Storing;
  readonly #prefix: string;

  /** Everything is kept under `prefix`. */
  constructor(prefix: string, storage: Storing) {
    this.#storage = storage;
    this.#prefix = prefix;
  }

  get place(): Place {
    return { ...NOWHERE, ...this.#read("place", NOWHERE) };
  }

  set place(place: Place) {
    this.#write("place", place.conversation || place.leaf ? place : null);
  }

  /** The newest turns of a conversation that have ended. */
  turns(conversation: string): Turn[] {
    const kept = this.#read<{ conversation: string; turns: Turn[] } | null>("turns", null);
    return kept?.conversation === conversation && Array.isArray(kept.turns) ? kept.turns : [];
  }

  keepTurns(conversation: string, path: readonly Turn[]): void {
    const turns = path.filter((turn) => !isOpen(turn)).slice(-NEWEST);
    const first = turns[0];
    if (!path.length) return;
    this.#write("turns", { conversation, turns: first ? [{ ...first, parent: "" }, ...turns.slice(1)] : [] });
  }

  /** What was asked, or is to be, and has not ended, in order. */
  get pending(): Pending[] {
    const kept = this.#read<Pending[]>("pending", []);
    return Array.isArray(kept) ? kept : [];
  }

  set pending(pending: readonly Pending[]) {
    this.#write("pending", pending.length ? pending : null);
  }

  /** What is being written in a conversation; empty for a new one. */
  draft(conversation: string): string {
    return String(this.#read<Record<string, string>>("drafts", {})[conversation] ?? "");
  }

  keepDraft(conversation: string, text: string): void {
    const { [conversation]: _before, ...drafts } = this.#read<Record<string, string>>("drafts", {});
    this.#write("drafts", text ? { ...drafts, [conversation]: text } : drafts);
  }

  /** Keep nothing of a conversation: it was deleted, or is somebody else's. */
  forget(conversation: string): void {
    if (this.place.conversation === conversation) this.place = NOWHERE;
    if (this.#read<{ conversation?: string }>("turns", {}).conversation === conversation) this.#write("turns", null);
    this.pending = this.pending.filter((one) => one.conversation !== conversation);
    this.keepDraft(conversation, "");
  }

  #read<T>(name: string, otherwise: T): T {
    try {
      const kept: unknown = JSON.parse(this.#storage.getItem(`${this.#prefix}:${name}`) ?? "null");
      return kept === null || typeof kept !== "object" ? otherwise : (kept as T);
    } catch {
      return otherwise;
    }
  }

  #write(name: string, value: unknown): void {
    const key = `${this.#prefix}:${name}`;
    try {
      if (value === null) this.#storage.removeItem(key);
      else this.#storage.setItem(key, JSON.stringify(value));
    } catch {
      // Full or forbidden: the conversation goes on, it only does not survive a reload.
    }
  }
}
