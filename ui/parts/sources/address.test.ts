import assert from "node:assert/strict";
import { test } from "node:test";

import { addressOf, directiveOf, headingBelow, siteOf } from "./address.ts";
import { tally, verdictOf } from "./verdicts.ts";

const source = { number: 1, kind: "page" };

test("a link leads to the passage, by its first and its last words", () => {
  const passage = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen well-being.";
  assert.equal(
    addressOf({ ...source, address: "https://example.ca/a?b=1#c", passage }),
    "https://example.ca/a?b=1#c:~:text=One%20two%20three%20four%20five%20six,ten%20eleven%20twelve%20thirteen%20fourteen%20well%2Dbeing.",
  );
  assert.equal(addressOf({ ...source, address: "https://example.ca/", passage: "Three short words" }), "https://example.ca/#:~:text=Three%20short%20words");
  assert.equal(addressOf({ ...source, address: "https://example.ca/" }), "https://example.ca/");
  assert.equal(directiveOf("Two words"), "");
});

test("a passage of a PDF is found by its page", () => {
  assert.equal(addressOf({ ...source, address: "https://example.ca/a.PDF", page: 3, passage: "a b c d" }), "https://example.ca/a.PDF#page=3");
});

test("only addresses of the web are followed", () => {
  for (const address of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//example.ca", "https://", "ftp://example.ca/"]) {
    assert.equal(addressOf({ ...source, address }), "");
    assert.equal(siteOf({ ...source, address }), "");
  }
  assert.equal(siteOf({ ...source, address: "https://www.example.ca/x" }), "example.ca");
});

test("the heading that is the title is not said twice", () => {
  assert.equal(headingBelow({ ...source, title: "Policy", heading: "policy › Leave › Parents" }), "Leave › Parents");
  assert.equal(headingBelow({ ...source, title: "Policy" }), "");
});

test("of a source, the worst is said", () => {
  const cited = (number: number, verdict: string) => ({ number, start: 0, end: 1, verdict });
  const citations = [cited(1, "supported"), cited(1, "unsupported"), cited(2, "supported"), cited(3, "supported"), cited(3, "odd")];
  assert.deepEqual([1, 2, 3, 4].map((number) => verdictOf(number, citations)), ["unsupported", "supported", "unknown", null]);
  assert.deepEqual(tally(citations), { supported: 3, unsupported: 1, unknown: 1 });
});
