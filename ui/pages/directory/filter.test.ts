import assert from "node:assert/strict";
import { test } from "node:test";

import { folded, matches, next } from "./filter.ts";

test("neither case nor accents nor the order of words matter", () => {
  const said = folded("Hibou Explique les mathématiques, pas à pas");
  assert.ok(matches("MATHEMATIQUES hibou", said));
  assert.ok(matches("", said));
  assert.ok(!matches("hibou castor", said));
});

test("arrows lead from the search through the results and back", () => {
  assert.equal(next("ArrowDown", -1, 3), 0);
  assert.equal(next("ArrowDown", -1, 0), undefined);
  assert.equal(next("ArrowUp", 0, 3), -1);
  assert.equal(next("ArrowDown", 2, 3), 2);
  assert.equal(next("End", 0, 3), 2);
  assert.equal(next("Home", 2, 3), 0);
  assert.equal(next("a", 1, 3), undefined);
});
