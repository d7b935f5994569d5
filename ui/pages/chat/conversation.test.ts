import assert from "node:assert/strict";
import { test } from "node:test";

import { NO_MATERIAL, type Provenance, type TurnEvent } from "../../client/events.ts";
import type { Following } from "../../client/following.ts";
import { Conversation, type Connection } from "./conversation.ts";
import { Memory, type Storing } from "./memory.ts";
import type { Conversation as ToldConversation, Turn as ToldTurn } from "../../client/conversations.ts";
import type { Turn } from "./turn.ts";

const ACCOUNT = { service: "s", persona: "beaver", language: "en", model: { name: "m" }, started: "" } as Provenance;

class Storage implements Storing {
  readonly kept = new Map<string, string>();
  getItem(key: string): string | null {
    return this.kept.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.kept.set(key, value);
  }
  removeItem(key: string): void {
    this.kept.delete(key);
  }
}

class Wire implements Connection {
  isOpen = true;
  followed: Following[] = [];
  cancelled = 0;
  get frames(): Record<string, unknown>[] {
    return this.followed.map((following) => JSON.parse(following.frame()));
  }
  open(): void {}
  follow(following: Following): void {
    this.followed.push(following);
  }
  leave(): void {}
  cancel(): boolean {
    this.cancelled += 1;
    return this.isOpen;
  }
}

function stage(storage = new Storage(), told?: () => ToldConversation) {
  const wire = new Wire();
  const ended: Turn[] = [];
  let names = 0;
  const conversation: Conversation = new Conversation({
    persona: "beaver",
    connection: wire,
    memory: new Memory("chat", storage),
    page: {
      shown() {},
      changed() {},
      grew() {},
      began() {},
      accepted() {},
      ended: (turn) => ended.push(turn),
      connected() {},
      unknown() {},
      elsewhere() {},
    },
    recalled: () => (told ? Promise.resolve(told()) : new Promise(() => {})),
    tell() {},
    name: () => `request-${(names += 1)}`,
  });
  const hear = (...events: TurnEvent[]): void => events.forEach((event) => conversation.receive(event));
  return { conversation, wire, storage, ended, hear };
}

const accepted = (id: string, session = "s"): TurnEvent => ({ type: "accepted", turn: id, session, persona: "beaver" });
const token = (text: string): TurnEvent => ({ type: "token", text });
const done = (id: string, session = "s"): TurnEvent => ({ type: "done", turn: id, session, provenance: ACCOUNT });
const told = (id: string, parent: string | null, more: Partial<ToldTurn> = {}): ToldTurn => ({
  id,
  parent,
  session: "s",
  prompt: `prompt of ${id}`,
  language: "en",
  accepted_at: "2026-11-26T12:00:00Z",
  outcome: "done",
  code: "",
  message: "",
  answer: `answer of ${id}`,
  provenance: ACCOUNT,
  feedback: null,
  ...more,
});
const conversationOf = (turns: ToldTurn[], running: string | null = null): ToldConversation => ({
  id: "s",
  persona: "beaver",
  title: "A title",
  named: false,
  language: "en",
  started: "2026-11-26T12:00:00Z",
  last_at: "2026-11-26T12:00:00Z",
  turns,
  leaf: turns.at(-1)?.id ?? null,
  running,
});
const shown = ({ conversation }: ReturnType<typeof stage>): string[] =>
  conversation.tree.path().map(({ prompt, answer }) => `${prompt}: ${answer}`);

test("turns follow one another, each named after the one before", () => {
  const one = stage();
  one.conversation.ask("first", NO_MATERIAL);
  one.hear(accepted("t1"), token("A "), token("dam."), done("t1"));
  one.conversation.ask("second", NO_MATERIAL);

  assert.deepEqual(one.wire.frames, [
    { prompt: "first", session: "", request: "request-1" },
    { prompt: "second", session: "s", request: "request-2", after: "t1" },
  ]);
  assert.deepEqual(shown(one), ["first: A dam.", "second: "]);
  assert.equal(one.conversation.id, "s");
});

test("what is asked while an answer comes waits for it, and goes in order", () => {
  const one = stage();
  for (const prompt of ["one", "two", "three"]) one.conversation.ask(prompt, NO_MATERIAL);
  assert.equal(one.wire.followed.length, 1);
  one.hear(accepted("t1"), done("t1"));
  one.hear(accepted("t2"), done("t2"));

  assert.deepEqual(one.wire.frames.map(({ prompt, after }) => [prompt, after]), [
    ["one", undefined],
    ["two", "t1"],
    ["three", "t2"],
  ]);
});

test("without a connection prompts wait, and can be taken back", () => {
  const one = stage();
  one.wire.isOpen = false;
  one.conversation.ask("one", NO_MATERIAL);
  const second = one.conversation.ask("two", NO_MATERIAL);
  assert.equal(one.wire.followed.length, 0);
  one.conversation.takeBack(second);
  one.wire.isOpen = true;
  one.conversation.connected();

  assert.deepEqual(one.wire.frames.map(({ prompt }) => prompt), ["one"]);
});

test("what is asked is kept before it is sent, and asked again under the same name after a reload", () => {
  const one = stage();
  one.conversation.ask("first", { ...NO_MATERIAL, address: "https://canada.ca" });
  const again = stage(one.storage);
  void again.conversation.open("");

  assert.deepEqual(again.wire.frames, one.wire.frames);
  assert.deepEqual(shown(again), ["first: "]);
});

test("what was accepted is resumed from its beginning after a reload, and meanwhile there is what came of it", () => {
  const one = stage();
  one.conversation.ask("first", NO_MATERIAL);
  one.hear(accepted("t1"), token("Half an "));
  one.conversation.leaving();
  const again = stage(one.storage);
  void again.conversation.open("s");

  assert.deepEqual(shown(again), ["first: Half an "]);
  assert.deepEqual(again.wire.frames, [{ resume: "t1", seen: 0 }]);
  again.hear(accepted("t1"), token("Half an "), token("answer."), done("t1"));
  assert.deepEqual(shown(again), ["first: Half an answer."]);
  assert.equal(new Memory("beaver", one.storage).pending.length, 0);
});

test("an ask that the service had taken, unseen, is one turn with what the service tells of it", async () => {
  const one = stage();
  one.conversation.ask("first", NO_MATERIAL);
  one.hear(accepted("t1"), done("t1"));
  one.conversation.ask("second", NO_MATERIAL);
  const running = told("t2", "t1", { outcome: "accepted", prompt: "second", answer: "", provenance: null });
  const again = stage(one.storage, () => conversationOf([told("t1", null, { prompt: "first" }), running], "t2"));
  await again.conversation.open("s");
  again.hear(accepted("t2"), token("Yes."), done("t2"));

  assert.deepEqual(shown(again), ["first: answer of t1", "second: Yes."]);
  assert.equal(again.conversation.tree.all().length, 2);
});

test("an answer can be had again, and both versions stay", () => {
  const one = stage();
  one.conversation.ask("first", NO_MATERIAL);
  one.hear(accepted("t1"), token("One."), done("t1"));
  const first = one.conversation.tree.path()[0] as Turn;
  one.conversation.again(first);
  one.hear(accepted("t2", "s2"), token("Two."), done("t2", "s2"));

  assert.deepEqual(one.wire.frames[1], { prompt: "first", session: "s", request: "request-2", after: "" });
  assert.deepEqual(shown(one), ["first: Two."]);
  assert.equal(one.conversation.tree.versions(first).length, 2);
  one.conversation.choose(first);
  assert.deepEqual(shown(one), ["first: One."]);
  one.conversation.ask("next", NO_MATERIAL);
  assert.equal(one.wire.frames[2]?.["after"], "t1");
  assert.equal(one.wire.frames[2]?.["session"], "s");
});

test("a prompt can be edited, and what followed the old one stays behind it", () => {
  const one = stage();
  for (const id of ["t1", "t2"]) {
    one.conversation.ask(`prompt ${id}`, NO_MATERIAL);
    one.hear(accepted(id), token("x"), done(id));
  }
  const first = one.conversation.tree.path()[0] as Turn;
  one.conversation.again(first, "edited");
  one.hear(accepted("t3", "s2"), token("y"), done("t3", "s2"));

  assert.deepEqual(shown(one), ["edited: y"]);
  one.conversation.choose(first);
  assert.deepEqual(shown(one), ["prompt t1: x", "prompt t2: x"]);
});

test("a turn that failed is asked again in its place, and what waits waits until then", () => {
  const one = stage();
  one.conversation.ask("first", NO_MATERIAL);
  one.conversation.ask("second", NO_MATERIAL);
  one.hear({ type: "failed", code: "engine.lost", message: "Lost." });
  assert.equal(one.wire.followed.length, 1);
  one.conversation.retry();
  one.hear(accepted("t1"), done("t1"));

  assert.deepEqual(one.wire.frames.map(({ prompt }) => prompt), ["first", "first", "second"]);
  assert.equal(one.conversation.tree.all().length, 2);
});

test("stopping ends the turn for all, also where it was not yet accepted", () => {
  const one = stage();
  one.conversation.ask("first", NO_MATERIAL);
  one.conversation.stop();
  one.hear(accepted("t1"));
  assert.equal(one.wire.cancelled, 2);
  one.hear({ type: "failed", code: "turn.cancelled", message: "" });

  assert.equal(one.ended[0]?.phase, "stopped");
  assert.equal(one.ended[0]?.stoppedHere, true);
});

test("a turn that nobody knows any more is as the service tells it, or interrupted", async () => {
  for (const [turns, phase] of [
    [[told("t1", null)], "done"],
    [[], "interrupted"],
  ] as const) {
    const one = stage(new Storage(), () => conversationOf([...turns]));
    one.conversation.ask("first", NO_MATERIAL);
    one.hear(accepted("t1"), token("Half "));
    one.conversation.unknown();
    await new Promise((later) => setTimeout(later));
    const [turn] = one.conversation.tree.path();
    assert.equal(turn?.phase ?? "interrupted", phase);
  }
});

test("an end that stands for all events replaces what is shown", () => {
  const one = stage();
  one.conversation.ask("first", NO_MATERIAL);
  one.hear(accepted("t1"), token("Half "));
  one.hear({ type: "ended", turn: "t1", session: "s", conversation: "s", outcome: "interrupted", code: "turn.interrupted", message: "", answer: "Half an", provenance: null });

  assert.deepEqual(shown(one), ["first: Half an"]);
  assert.equal(one.ended[0]?.phase, "interrupted");
});

test("of an answer that broke off, what was shown stays", () => {
  const one = stage();
  one.conversation.ask("first", NO_MATERIAL);
  one.hear(accepted("t1"), token("Half an answer"));
  one.hear({ type: "ended", turn: "t1", session: "s", conversation: "s", outcome: "interrupted", code: "turn.interrupted", message: "", answer: "", provenance: null });

  assert.deepEqual(shown(one), ["first: Half an answer"]);
});

test("a turn that another tab asked is loaded and followed", async () => {
  const one = stage(new Storage(), () =>
    conversationOf([told("t1", null), told("t2", "t1", { outcome: "accepted", answer: "" })], "t2"),
  );
  one.conversation.ask("first", NO_MATERIAL);
  one.hear(accepted("t1"), done("t1"));
  one.conversation.heard("s", "t2");
  await new Promise((later) => setTimeout(later));

  assert.deepEqual(one.wire.frames.at(-1), { resume: "t2", seen: 0 });
  one.hear(accepted("t2"), token("Yes."), done("t2"));
  assert.deepEqual(shown(one), ["first: answer of t1", "prompt of t2: Yes."]);
});

test("a conversation that the service has forgotten goes on as another", () => {
  const one = stage();
  one.conversation.ask("first", NO_MATERIAL);
  one.hear(accepted("t1"), done("t1"));
  one.conversation.ask("second", NO_MATERIAL);
  one.hear({ type: "failed", code: "session.unknown", message: "" });
  one.conversation.retry();

  assert.deepEqual(one.wire.frames.at(-1), { prompt: "second", session: "", request: "request-3" });
});
