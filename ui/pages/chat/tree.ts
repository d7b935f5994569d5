/** The turns of a conversation, with all its branches: a tree, of which the page shows one path. */

import type { Turn as ToldTurn } from "../../client/conversations.ts";
import { isOpen, newTurn, recall, type Turn } from "./turn.ts";

export class Tree {
  #turns = new Map<string, Turn>();
  /** The child that is shown, by the key of its parent. */
  #chosen = new Map<string, string>();

  constructor(turns: Iterable<Turn> = []) {
    for (const turn of turns) this.#turns.set(turn.key, turn);
  }

  get isEmpty(): boolean {
    return this.#turns.size === 0;
  }

  /** All turns, in the order in which they came about. */
  all(): Turn[] {
    return [...this.#turns.values()];
  }

  get(key: string): Turn | undefined {
    return this.#turns.get(key);
  }

  byId(id: string): Turn | undefined {
    return id ? this.all().find((turn) => turn.id === id) : undefined;
  }

  /** The turns that are shown, from the first on. */
  path(): Turn[] {
    const children = this.#children();
    const path: Turn[] = [];
    const seen = new Set<string>();
    for (let at = ""; !seen.has(at); ) {
      seen.add(at);
      const here = children.get(at) ?? [];
      const next = here.find((turn) => turn.key === this.#chosen.get(at)) ?? here.at(-1);
      if (!next) break;
      path.push(next);
      at = next.key;
    }
    return path;
  }

  get leaf(): Turn | undefined {
    return this.path().at(-1);
  }

  /** The turns that stand in the same place, `turn` among them. */
  versions(turn: Turn): Turn[] {
    return this.all().filter((other) => other.parent === turn.parent);
  }

  /** Add a turn, and show it. */
  add(turn: Turn): void {
    this.#turns.set(turn.key, turn);
    this.show(turn);
  }

  /** Show the branch that `turn` is in. */
  show(turn: Turn): void {
    const seen = new Set<Turn>();
    for (let at: Turn | undefined = turn; at && !seen.has(at); at = this.#turns.get(at.parent)) {
      seen.add(at);
      this.#chosen.set(at.parent, at.key);
    }
  }

  /** Remove a turn. What follows it follows `heir` then, or what the turn followed. */
  remove(turn: Turn, heir?: Turn): void {
    this.#turns.delete(turn.key);
    for (const child of this.#turns.values()) {
      if (child.parent === turn.key && child !== heir) child.parent = heir?.key ?? turn.parent;
    }
    if (this.#chosen.get(turn.parent) === turn.key) this.#chosen.delete(turn.parent);
  }

  /** `turn` was found to be the one that the service knows by this id: another one of it goes. */
  identify(turn: Turn): boolean {
    const twin = this.all().find((other) => other !== turn && other.id === turn.id);
    if (!twin || !turn.id) return false;
    turn.parent = twin.parent;
    this.remove(twin, turn);
    this.show(turn);
    return true;
  }

  /**
   * Take up all turns as the service tells them, in order of time; those that it does not know yet stay behind them,
   * and others, which were removed elsewhere, go. `followed` is left as it is: its events tell more.
   */
  recall(told: readonly ToldTurn[], followed: Turn | null): void {
    const known = new Map(this.all().map((turn) => [turn.id, turn] as const));
    const turns = new Map<string, Turn>();
    const keys = new Map<string, string>();
    for (const one of told) {
      const parent = keys.get(one.parent ?? "") ?? "";
      const turn = known.get(one.id) ?? newTurn(one.id, one.prompt, parent);
      turn.parent = parent;
      if (turn !== followed) recall(turn, one);
      keys.set(one.id, turn.key);
      turns.set(turn.key, turn);
    }
    for (const turn of this.all()) {
      const isNews = isOpen(turn) && (!turn.id || turn === followed);
      const isLatest = !turn.answer && turn.phase !== "done";
      if (!turns.has(turn.key) && (isNews || (isLatest && !turn.id))) turns.set(turn.key, turn);
    }
    this.#turns = turns;
    for (const turn of turns.values()) if (turn.parent && !turns.has(turn.parent)) turn.parent = "";
  }

  #children(): Map<string, Turn[]> {
    const children = new Map<string, Turn[]>();
    for (const turn of this.#turns.values()) {
      const siblings = children.get(turn.parent);
      if (siblings) siblings.push(turn);
      else children.set(turn.parent, [turn]);
    }
    return children;
  }
}
