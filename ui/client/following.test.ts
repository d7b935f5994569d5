import assert from "node:assert/strict";
import { test } from "node:test";

import { NO_MATERIAL, type TurnEvent } from "./events.ts";
import { Following, type Ask } from "./following.ts";

const ASK: Ask = { request: "request-1", prompt: "Hello", session: "", after: "", material: NO_MATERIAL };
const token = (n: number): TurnEvent => ({ type: "token", text: String(n), n });
const accepted: TurnEvent = { type: "accepted", turn: "t", session: "s", persona: "p", n: 1 };

test("an ask that was never accepted is sent again, under the same name", () => {
  const following = new Following(ASK);
  assert.equal(following.frame(), following.frame());
  assert.deepEqual(JSON.parse(following.frame()), { prompt: "Hello", session: "", request: "request-1" });
});

test("what was accepted is resumed from the last event that was seen", () => {
  const following = new Following(ASK);
  for (const event of [accepted, token(2), token(3)]) assert.equal(following.take(event), "new");
  assert.deepEqual(JSON.parse(following.frame()), { resume: "request-1", seen: 3 });
});

test("an event that was seen is dropped, and one that comes too early is a gap", () => {
  const following = new Following(ASK);
  following.take(accepted);
  assert.equal(following.take(accepted), "seen");
  assert.equal(following.take(token(3)), "gap");
  assert.equal(following.take(token(2)), "new");
  assert.equal(following.seen, 2);
});

test("the end is taken once, and nothing after it", () => {
  const following = new Following(null, "turn-1");
  const ended: TurnEvent = { type: "ended", turn: "t", session: "s", conversation: "s", outcome: "done", code: "", message: "", answer: "Yes.", provenance: null };
  assert.equal(following.take(ended), "new");
  assert.equal(following.over, true);
  assert.equal(following.take(ended), "seen");
});

test("a request that nobody knows is asked again, unless some of its answer was seen", () => {
  const unknown: TurnEvent = { type: "failed", code: "turn.unknown", message: "" };
  const kept = new Following(ASK, "", true);
  assert.equal(kept.take(unknown), "unknown");
  assert.equal(kept.askAgain(), true);
  assert.equal(JSON.parse(kept.frame()).prompt, "Hello");

  const followed = new Following(ASK);
  followed.take(accepted);
  assert.equal(followed.take(unknown), "unknown");
  assert.equal(followed.askAgain(), false);
});

test("a turn names what it follows, and only the material that there is", () => {
  const following = new Following({
    ...ASK,
    session: "s",
    after: "",
    material: { ...NO_MATERIAL, sources: ["canada.ca"], labels: ["canada.ca"] },
  });
  assert.deepEqual(JSON.parse(following.frame()), {
    prompt: "Hello",
    session: "s",
    request: "request-1",
    after: "",
    sources: ["canada.ca"],
  });
});
