import assert from "node:assert/strict";
import { test } from "node:test";

import type { Part, Summary, Wanted } from "../../client/conversations.ts";
import { Listing, type Source } from "./listing.ts";

function one(id: string, more: Partial<Summary> = {}): Summary {
  const at = "2026-11-20T10:00:00Z";
  return { id, persona: "owl", title: id, named: false, language: "en", started: at, last_at: at, turns: 1, ...more };
}

/** A source that answers with these parts, one after the other; `next` counts them. */
function source(...parts: string[][]): Source & { asked: Wanted[] } {
  const asked: Wanted[] = [];
  return {
    asked,
    list: (wanted): Promise<Part> => {
      const number = Number(wanted.before || 0);
      asked.push(wanted);
      const next = number + 1 < parts.length ? String(number + 1) : null;
      return Promise.resolve({ conversations: (parts[number] ?? []).map((id) => one(id)), next, kept: true });
    },
  };
}

function ids(listing: Listing): string[] {
  return listing.shown.map(({ id }) => id);
}

test("parts follow one another, and what moved up meanwhile is not shown twice", async () => {
  const listing = new Listing(() => undefined);
  const from = source(["a", "b"], ["b", "c"]);
  assert.ok(await listing.load(from, {}));
  assert.equal(await listing.more(from), 1);
  assert.deepEqual(ids(listing), ["a", "b", "c"]);
  assert.equal(listing.next, null);
  assert.equal(await listing.more(from), 0);
});

test("parts in which a search has found nothing are passed over, a few at a time", async () => {
  const listing = new Listing(() => undefined);
  const from = source([], [], [], [], ["z"]);
  await listing.load(from, { words: "z" });
  assert.deepEqual([ids(listing), listing.next, from.asked.length], [[], "3", 3]);
  assert.equal(await listing.more(from), 1);
  assert.deepEqual(ids(listing), ["z"]);
});

test("an answer that comes too late changes nothing", async () => {
  const listing = new Listing(() => undefined);
  let answer: (part: Part) => void = () => undefined;
  const late = new Promise<Part>((resolve) => (answer = resolve));
  const first = listing.load({ list: () => late }, { words: "a" });
  await listing.load(source(["b"]), { words: "b" });
  answer({ conversations: [one("a")], next: null, kept: true });
  assert.equal(await first, false);
  assert.deepEqual(ids(listing), ["b"]);
});

test("a failure is kept until the next try", async () => {
  const listing = new Listing(() => undefined);
  await listing.load({ list: () => Promise.reject(new Error("lost")) }, {});
  assert.equal(listing.phase, "failed");
  await listing.load(source(["a"]), {});
  assert.equal(listing.phase, "ready");
});

test("a conversation that goes on is the newest, with the title that it has", async () => {
  const listing = new Listing(() => undefined);
  await listing.load(source(["a", "b"]), {});
  const again = listing.hear({ what: "remembered", summary: one("b", { title: "Something else", last_at: "2026-11-26" }) });
  assert.equal(again, false);
  assert.deepEqual(ids(listing), ["b", "a"]);
  assert.deepEqual([listing.shown[0]?.title, listing.shown[0]?.turns], ["b", 2]);
});

test("in a search only the source can tell; another persona's is none of this list", async () => {
  const listing = new Listing(() => undefined);
  await listing.load(source(["a"]), { words: "a" });
  assert.ok(listing.hear({ what: "remembered", summary: one("b") }));
  await listing.load(source(["a"]), { persona: "owl" });
  assert.equal(listing.hear({ what: "remembered", summary: one("b", { persona: "beaver" }) }), false);
  assert.deepEqual(ids(listing), ["a"]);
});

test("what is renamed or deleted elsewhere is so here", async () => {
  const listing = new Listing(() => undefined);
  await listing.load(source(["a", "b"]), {});
  listing.hear({ what: "renamed", summary: one("b", { title: "New", named: true }) });
  listing.hear({ what: "deleted", id: "a" });
  assert.deepEqual(listing.shown.map(({ title }) => title), ["New"]);
});
