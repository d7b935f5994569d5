import assert from "node:assert/strict";
import { test } from "node:test";

import { fragmentOf, placeOf } from "./place.ts";

test("an address names a conversation in its fragment, and gives back what was put there", () => {
  for (const id of ["urn:uuid:2f1c", "a&b=c d", "é"]) assert.equal(placeOf({ hash: fragmentOf(id) }), id);
});

test("an address without one, or with a place on the page, names none", () => {
  for (const hash of ["", "#", "#prompt", "#c="]) assert.equal(placeOf({ hash }), "");
  assert.equal(fragmentOf(""), "");
});
