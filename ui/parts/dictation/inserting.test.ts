import assert from "node:assert/strict";
import { test } from "node:test";

import { inserted } from "./inserting.ts";

test("words are set off from what stands around them", () => {
  assert.deepEqual(inserted("", 0, 0, " hello "), { text: "hello", caret: 5 });
  assert.deepEqual(inserted("Say", 3, 3, "hello"), { text: "Say hello", caret: 9 });
  assert.deepEqual(inserted("Say now", 4, 4, "it"), { text: "Say it now", caret: 6 });
  assert.deepEqual(inserted("Done", 4, 4, ". Next"), { text: "Done. Next", caret: 10 });
  assert.deepEqual(inserted("A (b)", 3, 4, "c"), { text: "A (c)", caret: 4 });
});
