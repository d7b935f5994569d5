import assert from "node:assert/strict";
import { test } from "node:test";

import { ConversationService, ServiceError, UnreachableError, type Part } from "./conversations.ts";
import { KeptHere } from "./kept_here.ts";
import { Library, type Change } from "./library.ts";

const turn = { id: "a", persona: "beaver", title: "Dams", at: "2026-11-20T10:00:00.000Z", said: "Mud." };

/** A service that says what it is told to say. */
class Told extends ConversationService {
  kept: boolean | null = false;
  error: Error | null = null;

  override list(): Promise<Part> {
    if (this.kept === null) return Promise.reject(new UnreachableError(null));
    return Promise.resolve({ conversations: [], next: null, kept: this.kept });
  }

  override delete(): Promise<void> {
    return this.error ? Promise.reject(this.error) : Promise.resolve();
  }
}

function opened(kept: boolean | null): { service: Told; here: KeptHere; library: Library; changes: Change[] } {
  const service = new Told("en");
  service.kept = kept;
  const here = new KeptHere();
  const library = new Library(service, here);
  const changes: Change[] = [];
  library.onChange((change) => changes.push(change));
  return { service, here, library, changes };
}

async function ids(here: KeptHere): Promise<string[]> {
  return (await here.part({})).conversations.map((one) => one.id);
}

test("turns of people without a name are kept here", async () => {
  const { here, library, changes } = opened(false);
  await library.remember(turn);
  assert.deepEqual(await ids(here), ["a"]);
  assert.deepEqual(changes.map((change) => change.what), ["remembered"]);
  assert.deepEqual((await library.list({ words: "mud" })).conversations.map((one) => one.id), ["a"]);
});

test("turns of people with a name are told to lists, and not kept here", async () => {
  const { here, library, changes } = opened(true);
  await library.remember(turn);
  assert.deepEqual(await ids(here), []);
  assert.deepEqual(changes.map((change) => change.what), ["remembered"]);
});

test("as long as nobody knows who asks, nothing is kept, and nothing lost", async () => {
  const { service, here, library, changes } = opened(null);
  await library.remember(turn);
  assert.deepEqual([await ids(here), changes], [[], []]);
  service.kept = false;
  await library.list({});
  assert.deepEqual(await ids(here), ["a"]);
});

test("what the service no longer has is gone here too; after any other refusal it stays", async () => {
  const { service, here, library } = opened(false);
  await library.remember(turn);
  service.error = new ServiceError(503, "overloaded", "Later.");
  await assert.rejects(library.delete("a"), ServiceError);
  assert.deepEqual(await ids(here), ["a"]);
  service.error = new ServiceError(404, "session.unknown", "Gone.");
  await library.delete("a");
  assert.deepEqual(await ids(here), []);
});

test("forgetting all of it here needs no service", async () => {
  const { service, here, library, changes } = opened(false);
  await library.remember(turn);
  service.kept = null;
  await library.forgetHere();
  assert.deepEqual(await ids(here), []);
  assert.equal(changes.at(-1)?.what, "emptied");
});
