/** The conversations of people without a name, as this browser remembers them: a list, and words to find them by. The
 * texts themselves come from the service, by the id of a conversation. */

import { isSummary, type Part, type Summary, type Wanted } from "./conversations.ts";
import { beginning, holds, onOneLine, searchable } from "./folding.ts";

/** What a page tells after each turn. `title`: what the conversation is called, or its first prompt; `at`: ISO 8601;
 * `said`: what was said in the turn, by both, so that it can be found. */
export interface Remembered {
  readonly id: string;
  readonly persona: string;
  readonly title: string;
  readonly at: string;
  readonly language?: string;
  readonly said?: string;
}

/** Conversations that are remembered; of more, those last active. */
export const MOST = 500;
/** Characters by which one conversation can be found; of more, the newest. */
export const MOST_SAID = 20_000;

const NAME = "menagerie.conversations";
const VERSION = 1;
const LIST = "list";
const SAID = "said";
const AT_ONCE = 50;

interface Said {
  readonly id: string;
  /** As `searchable` makes it. */
  readonly text: string;
}

/** A conversation after one more turn. A title that it has stays. */
export function continued(known: Summary | undefined, turn: Remembered): Summary {
  return {
    id: turn.id,
    persona: turn.persona,
    title: known?.title || beginning(turn.title),
    named: known?.named ?? false,
    language: turn.language ?? known?.language ?? "",
    started: known?.started ?? turn.at,
    last_at: known && known.last_at > turn.at ? known.last_at : turn.at,
    turns: (known?.turns ?? 0) + 1,
  };
}

/** What a conversation can be found by after more was said; the newest `MOST_SAID` characters of it. */
export function saidSoFar(known: string, said: string): string {
  return `${known}\n${searchable(said)}`.slice(-MOST_SAID);
}

/** The ids of those that are too many. */
export function excess(list: readonly Summary[], most = MOST): string[] {
  return newestFirst(list)
    .slice(most)
    .map((one) => one.id);
}

/** The part of `list` that is `wanted`, found by titles and by `said`, which has folded texts by id. */
export function part(list: readonly Summary[], said: ReadonlyMap<string, string>, wanted: Wanted): Part {
  const { words = "", persona = "", before = "", limit = AT_ONCE } = wanted;
  const found = newestFirst(list).filter(
    (one) =>
      (!persona || one.persona === persona) &&
      (!before || placeIn(one) < before) &&
      (!words || holds(`${searchable(one.title)}\n${said.get(one.id) ?? ""}`, words)),
  );
  const conversations = found.slice(0, limit);
  const last = conversations.at(-1);
  return { conversations, next: last && found.length > limit ? placeIn(last) : null, kept: false };
}

function placeIn(one: Summary): string {
  return `${one.last_at} ${one.id}`;
}

function newestFirst(list: readonly Summary[]): Summary[] {
  return list.toSorted((one, other) => (placeIn(one) < placeIn(other) ? 1 : -1));
}

/**
 * The list in this browser, shared by its tabs. What the browser does not keep lives as long as the page, and `lasts`
 * says so. No method throws.
 */
export class KeptHere {
  /** Whether the list outlives the page, as far as is known. */
  lasts = true;
  #opened: Promise<IDBDatabase> | undefined;
  /** What could not be written. */
  readonly #list = new Map<string, Summary>();
  readonly #said = new Map<string, string>();

  async part(wanted: Wanted): Promise<Part> {
    const list = await this.#read();
    return part(list, wanted.words ? await this.#readSaid() : new Map(), wanted);
  }

  /** Keep a turn; the conversation as it is in the list now. */
  async remember(turn: Remembered): Promise<Summary> {
    let now = continued(this.#list.get(turn.id), turn);
    const written = await this.#write(async (list, said) => {
      now = continued(asSummary(await result<unknown>(list.get(turn.id))), turn);
      list.put(now);
      if (turn.said) {
        const known = asSaid(await result<unknown>(said.get(turn.id)));
        said.put({ id: turn.id, text: saidSoFar(known?.text ?? "", turn.said) });
      }
      if ((await result(list.count())) > MOST) {
        const all = (await result<unknown[]>(list.getAll())).filter(isSummary);
        for (const id of excess(all)) {
          list.delete(id);
          said.delete(id);
        }
      }
    });
    if (!written) {
      this.#list.set(turn.id, now);
      this.#said.set(turn.id, saidSoFar(this.#said.get(turn.id) ?? "", turn.said ?? ""));
    }
    return now;
  }

  /** Call a conversation `title`; `named`: somebody gave it that name. */
  async rename(id: string, title: string, named: boolean): Promise<void> {
    const change = (known: Summary): Summary => ({ ...known, title: onOneLine(title), named });
    const here = this.#list.get(id);
    if (here) this.#list.set(id, change(here));
    await this.#write(async (list) => {
      const known = asSummary(await result<unknown>(list.get(id)));
      if (known) list.put(change(known));
    });
  }

  async forget(id: string): Promise<void> {
    this.#list.delete(id);
    this.#said.delete(id);
    await this.#write(async (list, said) => {
      list.delete(id);
      said.delete(id);
    });
  }

  async forgetAll(): Promise<void> {
    this.#list.clear();
    this.#said.clear();
    await this.#write(async (list, said) => {
      list.clear();
      said.clear();
    });
  }

  async #read(): Promise<Summary[]> {
    const all = (await this.#all(LIST)).filter(isSummary).map((one) => [one.id, one] as const);
    return [...new Map([...all, ...this.#list]).values()];
  }

  async #readSaid(): Promise<ReadonlyMap<string, string>> {
    const all = (await this.#all(SAID)).flatMap((one) => asSaid(one) ?? []).map((one) => [one.id, one.text] as const);
    return new Map([...all, ...this.#said]);
  }

  async #all(store: string): Promise<unknown[]> {
    try {
      return await result<unknown[]>((await this.#open()).transaction(store).objectStore(store).getAll());
    } catch {
      this.lasts = false;
      return [];
    }
  }

  /** Whether it was written. */
  async #write(work: (list: IDBObjectStore, said: IDBObjectStore) => Promise<void>): Promise<boolean> {
    try {
      const transaction = (await this.#open()).transaction([LIST, SAID], "readwrite");
      const done = ended(transaction);
      await work(transaction.objectStore(LIST), transaction.objectStore(SAID));
      await done;
      return true;
    } catch {
      this.lasts = false;
      return false;
    }
  }

  #open(): Promise<IDBDatabase> {
    this.#opened ??= opened((database) => {
      database.close(); // another tab wants to delete or renew it
      this.#opened = undefined;
    });
    return this.#opened;
  }
}

async function opened(onWanted: (database: IDBDatabase) => void): Promise<IDBDatabase> {
  const database = await openedOrRenewed();
  database.addEventListener("versionchange", () => onWanted(database));
  return database;
}

async function openedOrRenewed(): Promise<IDBDatabase> {
  try {
    return await openedOnce();
  } catch (error) {
    // Made by a later version of these pages, or damaged: begin anew, rather than keep nothing any more.
    if (!(error instanceof DOMException) || !["VersionError", "UnknownError"].includes(error.name)) throw error;
    await result(indexedDB.deleteDatabase(NAME));
    return openedOnce();
  }
}

async function openedOnce(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, VERSION);
  request.addEventListener("upgradeneeded", () => {
    for (const store of [LIST, SAID]) request.result.createObjectStore(store, { keyPath: "id" });
  });
  const database = await result(request);
  if (![LIST, SAID].every((store) => database.objectStoreNames.contains(store))) {
    database.close();
    throw new DOMException("its stores are missing", "UnknownError");
  }
  return database;
}

function result<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("no storage")));
    request.addEventListener("blocked", () => reject(new Error("no storage")));
  });
}

function ended(transaction: IDBTransaction): Promise<void> {
  const end = new Promise<void>((resolve, reject) => {
    transaction.addEventListener("complete", () => resolve());
    transaction.addEventListener("abort", () => reject(transaction.error ?? new Error("no storage")));
  });
  end.catch(() => undefined); // awaited later; until then nobody has to hear of it
  return end;
}

function asSummary(value: unknown): Summary | undefined {
  return isSummary(value) ? value : undefined;
}

function asSaid(value: unknown): Said | undefined {
  const one = value as Partial<Said> | null | undefined;
  return typeof one?.id === "string" && typeof one.text === "string" ? { id: one.id, text: one.text } : undefined;
}
