/**
 * A conversation with one persona: what is asked, what comes back, and what becomes of it when the network, the service
 * or this page breaks off in between. Knows no elements; `Page` shows what it says.
 */

import type { Material, TurnEvent } from "../../client/events.ts";
import { Following } from "../../client/following.ts";
import type { Memory } from "./memory.ts";
import type { Conversation as ToldConversation } from "../../client/conversations.ts";
import { Tree } from "./tree.ts";
import { apply, end, isEmpty, isOpen, newTurn, type Turn } from "./turn.ts";

const KEEP_AFTER = 2_000;
const LOOK_AGAIN = [1_000, 2_000, 4_000, 8_000, 15_000];
const LONGEST_TITLE = 80;

export interface Connection {
  readonly isOpen: boolean;
  open(): void;
  follow(following: Following): void;
  leave(): void;
  cancel(): boolean;
}

export interface Page {
  /** Other turns are shown, or the conversation has another name or number. */
  shown(): void;
  /** Something about a turn has changed, other than its text. */
  changed(turn: Turn): void;
  grew(turn: Turn, piece: string): void;
  /** A turn has ended. */
  ended(turn: Turn): void;
  /** A turn begins to be asked. */
  began(turn: Turn): void;
  /** The service has it, and this conversation has its number. */
  accepted(turn: Turn): void;
  /** The connection is lost, or back. */
  connected(isConnected: boolean): void;
  /** A conversation that was to be shown is unknown. */
  unknown(): void;
  /** A conversation belongs to another persona. */
  elsewhere(conversation: ToldConversation): void;
}

export interface Parts {
  readonly persona: string;
  readonly connection: Connection;
  readonly memory: Memory;
  readonly page: Page;
  readonly recalled: (id: string) => Promise<ToldConversation | "unknown" | "away">;
  /** Tell the other tabs that something happened in a conversation. */
  readonly tell: (conversation: string, turn: string) => void;
  readonly name: () => string;
}

export class Conversation {
  readonly #parts: Parts;
  tree = new Tree();
  /** Its id; empty until the first turn is accepted. */
  id = "";
  title = "";
  /** What is followed now. */
  active: Turn | null = null;
  #stopping: Turn | null = null;
  /** Nothing that waits is asked until the person says so: the turn before it failed. */
  #isHeld = false;
  #generation = 0;
  #looks = 0;
  #isLoaded = true;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Whether something is under way, or waits. */
  get isBusy(): boolean {
    return this.active !== null || (!this.#isHeld && this.tree.all().some(isOpen));
  }

  /** Show a conversation, by its id, or an empty one; what this tab knows of it is there at once. */
  open(id: string): Promise<void> {
    this.#leave();
    const { memory, page } = this.#parts;
    const place = memory.place;
    const isHere = place.conversation === id;
    this.id = id;
    this.title = isHere ? place.title : "";
    this.tree = new Tree(id || isHere ? memory.turns(id) : []);
    for (const { conversation, turn } of memory.pending) if (conversation === id) this.tree.add({ ...turn });
    const leaf = isHere ? this.tree.get(place.leaf) : undefined;
    if (leaf) this.tree.show(leaf);
    this.#isLoaded = !id;
    page.shown();
    this.#next();
    return this.load();
  }

  /** Ask the service for the whole conversation; until it answers, again and again. */
  async load(): Promise<void> {
    if (!this.id) return;
    clearTimeout(this.#timer);
    const generation = this.#generation;
    const told = await this.#parts.recalled(this.id);
    if (generation !== this.#generation) return;
    if (told === "away") {
      const wait = LOOK_AGAIN[Math.min(this.#looks, LOOK_AGAIN.length - 1)];
      this.#looks += 1;
      this.#timer = setTimeout(() => void this.load(), wait);
      return;
    }
    this.#looks = 0;
    this.#isLoaded = true;
    if (told === "unknown") {
      this.#unknown();
      return;
    }
    if (told.persona !== this.#parts.persona) {
      this.#parts.page.elsewhere(told);
      return;
    }
    this.#take(told);
  }

  /** Ask something, behind what is shown. It waits where something is under way or there is no connection. */
  ask(prompt: string, material: Material): Turn {
    this.#isHeld = false;
    const turn = newTurn(this.#parts.name(), prompt, this.tree.leaf?.key ?? "", material);
    return this.#add(turn);
  }

  /** Ask what `turn` asked again, beside it; or something else in its place. */
  again(turn: Turn, prompt = turn.prompt): Turn | null {
    if (this.active) return null;
    this.#isHeld = false;
    const next = newTurn(this.#parts.name(), prompt, turn.parent, turn.material);
    const waiting = this.tree.all().filter((other) => other.parent === turn.key && other.phase === "waiting");
    if (isEmpty(turn)) this.tree.remove(turn);
    for (const other of waiting) other.parent = next.key;
    return this.#add(next);
  }

  /** Ask again what did not come to its end. */
  retry(): void {
    const turn = this.tree.path().findLast(({ phase }) => phase !== "waiting");
    if (turn && !isOpen(turn) && turn.phase !== "done") this.again(turn);
    else {
      this.#isHeld = false;
      this.#next();
    }
  }

  /** End the answer that is under way. */
  stop(): void {
    const turn = this.active;
    if (!turn) return;
    turn.stoppedHere = true;
    const { connection } = this.#parts;
    if (connection.cancel() || turn.id) {
      this.#stopping = turn;
      return;
    }
    connection.leave();
    this.#end(turn, "stopped");
  }

  /** Take back a prompt that still waits. */
  takeBack(turn: Turn): void {
    if (turn.phase !== "waiting") return;
    this.tree.remove(turn);
    this.#keep();
    this.#parts.page.shown();
  }

  /** Show another branch. */
  choose(turn: Turn): void {
    this.tree.show(turn);
    this.#keep();
    this.#parts.page.shown();
  }

  /** Begin anew. An answer that is under way is ended. */
  startAnew(): void {
    if (this.active) this.stop();
    if (!this.id) for (const turn of this.tree.all()) if (isOpen(turn)) end(turn, "stopped");
    void this.open("");
  }

  /** It was deleted on this page. */
  deleted(): void {
    this.#vanish();
    void this.open("");
  }

  /** Another tab tells that something happened in a conversation. */
  heard(conversation: string, turn: string): void {
    if (conversation !== this.id || !this.id) return;
    const known = this.tree.byId(turn);
    if (!known || known !== this.active) void this.load();
  }

  /** From the connection: an event of the turn that is followed. */
  receive(event: TurnEvent): void {
    const turn = this.active;
    if (!turn) return;
    const { page, connection } = this.#parts;
    const changed = apply(turn, event);
    if (event.type === "token") page.grew(turn, event.text);
    if (event.type === "accepted" || event.type === "ended") {
      const other = this.tree.identify(turn);
      const isNew = !this.id;
      if (isNew) {
        this.id = event.conversation || event.session;
        this.title = turn.prompt.replace(/\s+/g, " ").trim().slice(0, LONGEST_TITLE);
      }
      if (isNew || other) page.shown();
      this.#keep();
      if (event.type === "accepted") {
        this.#parts.tell(this.id, turn.id);
        page.accepted(turn);
      }
      if (this.#stopping === turn) connection.cancel();
    }
    if (changed) page.changed(turn);
    if (isOpen(turn)) this.#saving ??= setTimeout(() => this.#keepOpen(), KEEP_AFTER);
    else if (turn.code === "session.unknown") this.#forget(turn);
    else this.#ended(turn);
  }

  /** From the connection: it stands. */
  connected(): void {
    this.#parts.page.connected(true);
    if (this.#stopping && this.#stopping === this.active) setTimeout(() => this.#parts.connection.cancel());
    if (!this.#isLoaded) void this.load();
    this.#next();
  }

  /** From the connection: it was lost. */
  lost(): void {
    this.#parts.page.connected(false);
  }

  /** From the connection: nobody knows the turn that is followed. */
  unknown(): void {
    const turn = this.active;
    if (!turn) return;
    this.#lose(turn);
    void this.load();
  }

  /** The page is left, or may be. */
  leaving(): void {
    this.#keep();
  }

  #add(turn: Turn): Turn {
    this.tree.add(turn);
    this.#keep();
    this.#parts.page.shown();
    this.#next();
    return turn;
  }

  /** Follow what is under way, else ask what waits. */
  #next(): void {
    if (this.active) return;
    const open = this.tree.all().filter(isOpen);
    const isFree = ({ parent }: Turn): boolean => !open.some(({ key }) => key === parent);
    const turn = open.find(({ id }) => id) ?? open.find(({ phase }) => phase !== "waiting") ?? open.find(isFree);
    if (!turn || (this.#isHeld && turn.phase === "waiting")) return;
    const { connection, page } = this.#parts;
    if (turn.phase === "waiting" && !connection.isOpen) {
      connection.open();
      page.changed(turn);
      return;
    }
    this.active = turn;
    const isNew = !turn.id;
    if (turn.phase === "waiting") turn.phase = "asked";
    this.#keep();
    page.changed(turn);
    page.began(turn);
    connection.follow(isNew ? new Following(this.#asked(turn)) : new Following(null, turn.id));
  }

  #asked(turn: Turn): { request: string; prompt: string; session: string; after: string; material: Material } {
    const { key: request, prompt, material } = turn;
    let before = this.tree.get(turn.parent);
    while (before && !before.id) before = this.tree.get(before.parent);
    return { request, prompt, material, session: before?.session || this.id, after: before?.id ?? "" };
  }

  #take(told: ToldConversation): void {
    const before = this.tree.leaf;
    const wasEmpty = this.tree.isEmpty;
    this.tree.recall(told.turns, this.active);
    this.title = told.title;
    const { place } = this.#parts.memory;
    const leaf =
      (before && this.tree.get(before.key)) ||
      (place.conversation === this.id && this.tree.get(place.leaf)) ||
      this.tree.byId(told.leaf ?? "");
    const newest = this.tree.byId(told.running ?? "");
    if (leaf) this.tree.show(leaf);
    if (newest && (wasEmpty || newest.parent === leaf?.key || newest.parent === leaf?.parent)) this.tree.show(newest);
    if (this.active && !this.tree.get(this.active.key)) this.active = null;
    this.#keep();
    this.#parts.page.shown();
    this.#next();
  }

  #end(turn: Turn, phase: "stopped" | "interrupted"): void {
    end(turn, phase);
    this.#ended(turn);
  }

  #lose(turn: Turn): void {
    this.#end(turn, "interrupted");
  }

  #ended(turn: Turn): void {
    if (this.active === turn) this.active = null;
    if (this.#stopping === turn) this.#stopping = null;
    if (turn.phase === "failed" || turn.phase === "interrupted") this.#isHeld = true;
    this.#keep();
    const { page, tell } = this.#parts;
    page.changed(turn);
    page.ended(turn);
    tell(this.id, turn.id);
    this.#next();
  }

  /** It was deleted, or is somebody else's: nothing of it stays here but what the service was never told. */
  #unknown(): void {
    const { memory, page } = this.#parts;
    const unsaid = this.tree.all().filter((turn) => isOpen(turn) && !turn.id).map(({ prompt }) => prompt);
    const written = [memory.draft(""), ...unsaid].filter(Boolean).join("\n\n");
    this.#vanish();
    memory.keepDraft("", written);
    page.unknown();
  }

  #vanish(): void {
    this.#parts.memory.forget(this.id);
    this.tree = new Tree([]);
    this.id = "";
    this.title = "";
  }

  /** The service no longer knows this conversation: what is asked now begins another. */
  #forget(turn: Turn): void {
    for (const other of this.tree.all()) {
      other.id = "";
      other.session = "";
    }
    this.id = "";
    this.#ended(turn);
    this.#parts.page.shown();
  }

  /** What is under way in a conversation that is left goes on for a while; what was never accepted, waits. */
  #leave(): void {
    this.#generation += 1;
    clearTimeout(this.#timer);
    if (this.#generation > 1) this.#keep();
    if (this.active) this.#parts.connection.leave();
    this.active = null;
    this.#stopping = null;
    this.#isHeld = false;
  }

  #keep(): void {
    this.#keepOpen();
    const { memory } = this.#parts;
    const path = this.tree.path();
    memory.place = { conversation: this.id, title: this.title, leaf: path.at(-1)?.key ?? "" };
    memory.keepTurns(this.id, path);
  }

  /** Keep what has not ended only: the rest stands there already. */
  #keepOpen(): void {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    const { memory } = this.#parts;
    const others = memory.pending.filter(
      ({ conversation, turn }) => conversation !== this.id && !this.tree.get(turn.key),
    );
    const open = this.tree.all().filter(isOpen);
    memory.pending = [...others, ...open.map((turn) => ({ conversation: this.id, turn }))];
  }
}
