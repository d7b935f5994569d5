import assert from "node:assert/strict";
import { test } from "node:test";

import { spokenLanguage } from "./spoken.ts";

test("prose is told apart from its first sentence on", () => {
  assert.equal(spokenLanguage("A beaver dam slows the stream and raises the water."), "en");
  assert.equal(spokenLanguage("Le barrage d'un castor ralentit le ruisseau et élève l'eau."), "fr");
  assert.equal(spokenLanguage("Quelle est la capitale du Canada?"), "fr");
  assert.equal(spokenLanguage("What is the capital of Canada?"), "en");
});

test("what is too short, code, or in another language stays without a mark", () => {
  for (const text of ["", "OK", "42", "```py\nfor the in is of to: pass\n```", "Wie heißt die Hauptstadt?", "こんにちは"]) {
    assert.equal(spokenLanguage(text), "", text);
  }
});
