import assert from "node:assert/strict";
import { test } from "node:test";

import { asCookie, viewIn } from "./view.ts";

test("what is written into the cookie is read from it again", () => {
  const view = { scheme: "dark", textSize: "larger", motion: "reduced" } as const;
  const pair = asCookie(view).split(";")[0];
  assert.deepEqual(viewIn(`lang=fr; ${pair}; other=1`), view);
});

test("what is not among the choices says nothing", () => {
  assert.equal(viewIn(""), undefined);
  assert.equal(viewIn("view=pink.large.system"), undefined);
  assert.equal(viewIn("view=dark.large"), undefined);
  assert.equal(viewIn("review=dark.large.system"), undefined);
});
