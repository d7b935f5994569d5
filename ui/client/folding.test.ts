import assert from "node:assert/strict";
import { test } from "node:test";

import { beginning, holds, LONGEST_BEGINNING, onOneLine, searchable } from "./folding.ts";

test("case, accents, ligatures and the shape of apostrophes do not matter", () => {
  assert.equal(searchable("L’ŒUVRE d’Été, à Québec"), "l'oeuvre d'ete, a quebec");
  assert.equal(searchable("e\u0301cole"), searchable("École"));
});

test("all words must be there, in any order", () => {
  const said = searchable("Congés annuels de la fonction publique");
  assert.ok(holds(said, "publique conges"));
  assert.ok(!holds(said, "conges maladie"));
  assert.ok(holds(said, "   "));
});

test("a title is one line, and turns nothing that stands beside it", () => {
  assert.equal(onOneLine("\u202Eeman\nlive\u0000\t\u2028 end\ufeff "), "eman live end");
});

test("a title has nothing that is not seen, but keeps what joins letters", () => {
  assert.equal(onOneLine("a\u00ad\u061c\u200b\u2060\u2064\u3164\u{e0000}\u{e0041}\u{e007f}b\u200dc\u200cd"), "ab\u200dc\u200cd");
  assert.equal(onOneLine("\u3164\u200b"), "");
});

test("a beginning is cut between words, with a sign that it is", () => {
  const cut = beginning("word ".repeat(40));
  assert.ok(cut.endsWith("word…"));
  assert.ok([...cut].length <= LONGEST_BEGINNING);
  assert.equal(beginning("short\nprompt"), "short prompt");
});

test("a beginning without blanks is cut, but never within a character", () => {
  const cut = beginning("🦫".repeat(100));
  assert.equal([...cut].length, LONGEST_BEGINNING);
  assert.equal(cut, `${"🦫".repeat(LONGEST_BEGINNING - 1)}…`);
});
