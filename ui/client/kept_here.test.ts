import assert from "node:assert/strict";
import { test } from "node:test";

import type { Summary } from "./conversations.ts";
import { continued, excess, KeptHere, MOST_SAID, part, saidSoFar } from "./kept_here.ts";

const turn = { id: "a", persona: "beaver", title: "How do dams\nhold?", at: "2026-11-20T10:00:00.000+00:00" };

function several(count: number): Summary[] {
  return Array.from({ length: count }, (_, index) => ({
    ...continued(undefined, turn),
    id: `c${index}`,
    title: `Number ${index}`,
    persona: index % 2 ? "owl" : "beaver",
    last_at: new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString(),
  }));
}

test("a conversation begins with its first prompt as its title, on one line", () => {
  const first = continued(undefined, turn);
  assert.equal(first.title, "How do dams hold?");
  assert.equal(first.named, false);
  assert.equal(first.turns, 1);
});

test("later turns keep its title and its beginning, and move it forward only", () => {
  const named: Summary = { ...continued(undefined, turn), title: "Dams", named: true };
  const later = continued(named, { ...turn, title: "And then?", at: "2026-11-21T10:00:00.000+00:00" });
  assert.deepEqual([later.title, later.named, later.started, later.turns], ["Dams", true, turn.at, 2]);
  assert.equal(continued(later, turn).last_at, later.last_at);
});

test("of what was said, the newest is kept", () => {
  const said = saidSoFar("old ".repeat(MOST_SAID), "Édifice");
  assert.equal(said.length, MOST_SAID);
  assert.ok(said.endsWith("\nedifice"));
});

test("of too many conversations, those that rested longest go", () => {
  assert.deepEqual(excess(several(5), 3), ["c1", "c0"]);
  assert.deepEqual(excess(several(3), 3), []);
});

test("a list comes in parts without a gap or a repeat, also where conversations go away in between", () => {
  const list = several(7);
  const first = part(list, new Map(), { limit: 3 });
  assert.deepEqual(first.conversations.map((one) => one.id), ["c6", "c5", "c4"]);
  const left = list.filter((one) => one.id !== "c4");
  const second = part(left, new Map(), { limit: 3, before: first.next ?? "" });
  assert.deepEqual(second.conversations.map((one) => one.id), ["c3", "c2", "c1"]);
  const third = part(left, new Map(), { limit: 3, before: second.next ?? "" });
  assert.deepEqual([third.conversations.map((one) => one.id), third.next], [["c0"], null]);
});

test("conversations are found by their titles, by what was said, and by persona", () => {
  const list = several(4);
  const said = new Map([["c2", saidSoFar("", "Le congé annuel")]]);
  const found = (words: string, persona = ""): string[] =>
    part(list, said, { words, persona }).conversations.map((one) => one.id);
  assert.deepEqual(found("number 3"), ["c3"]);
  assert.deepEqual(found("conge number"), ["c2"]);
  assert.deepEqual(found("", "owl"), ["c3", "c1"]);
  assert.deepEqual(found("conge", "owl"), []);
});

test("where a browser keeps nothing, the list lives as long as the page, and says so", async () => {
  const here = new KeptHere();
  await here.remember({ ...turn, said: "Dams hold by mud." });
  assert.equal(here.lasts, false);
  assert.deepEqual((await here.part({ words: "mud" })).conversations.map((one) => one.id), ["a"]);
  await here.rename("a", "Mud\u202E", true);
  assert.equal((await here.part({})).conversations[0]?.title, "Mud");
  await here.forgetAll();
  assert.deepEqual((await here.part({})).conversations, []);
});
