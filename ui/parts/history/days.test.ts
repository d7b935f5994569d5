import assert from "node:assert/strict";
import { test } from "node:test";

import type { Summary } from "../../client/conversations.ts";
import { grouped, moment, monthInWords, timeInWords } from "./days.ts";

const TORONTO = "America/Toronto";

function at(last_at: string): Summary {
  return { id: last_at, persona: "", title: "", named: false, language: "", started: last_at, last_at, turns: 1 };
}

function keys(now: string, zone: string, ...moments: string[]): string[] {
  return grouped(moments.map(at), new Date(now), zone).map((group) => group.key);
}

test("the same moment is today or yesterday, as the calendar of the reader has it", () => {
  const said = "2026-11-26T03:30:00Z";
  assert.deepEqual(keys("2026-11-26T12:00:00Z", "UTC", said), ["today"]);
  assert.deepEqual(keys("2026-11-26T12:00:00Z", TORONTO, said), ["yesterday"]);
  assert.deepEqual(keys("2026-11-26T12:00:00Z", "Pacific/Kiritimati", said), ["yesterday"]);
});

test("a day of 23 or of 25 hours is one day", () => {
  // Clocks went forward on 8 March and back on 1 November 2026.
  assert.deepEqual(keys("2026-03-09T04:10:00Z", TORONTO, "2026-03-08T05:10:00Z"), ["yesterday"]);
  assert.deepEqual(keys("2026-11-02T04:50:00Z", TORONTO, "2026-11-01T04:10:00Z"), ["today"]);
  assert.deepEqual(keys("2026-11-02T05:10:00Z", TORONTO, "2026-11-01T04:10:00Z"), ["yesterday"]);
});

test("a week is the six days before, then months, each once, in order", () => {
  const groups = keys(
    "2027-01-03T12:00:00Z",
    "UTC",
    "2027-01-03T00:00:00Z",
    "2027-01-02T23:59:59Z",
    "2026-12-28T00:00:00Z",
    "2026-12-27T23:59:59Z",
    "2026-12-01T00:00:00Z",
    "2025-12-31T00:00:00Z",
  );
  assert.deepEqual(groups, ["today", "yesterday", "week", "2026-12", "2025-12"]);
});

test("what a clock that is ahead has dated is of today, and what cannot be read is of long ago", () => {
  assert.deepEqual(keys("2026-11-26T12:00:00Z", "UTC", "2026-11-28T12:00:00Z", "soon"), ["today", "1970-1"]);
  assert.equal(moment("soon").getTime(), 0);
});

test("moments are told as each language tells them", () => {
  const when = new Date("2026-10-05T18:05:00Z");
  assert.equal(monthInWords(when, "en", TORONTO), "October 2026");
  assert.equal(monthInWords(when, "fr", TORONTO), "octobre 2026");
  assert.match(timeInWords(when, "today", "en", TORONTO), /^2:05\s?p\.m\.$/u);
  assert.match(timeInWords(when, "today", "fr", TORONTO), /^14\s?h\s?05$/u);
  assert.match(timeInWords(when, "week", "fr", TORONTO), /^lundi, 14/u);
  assert.equal(timeInWords(when, "month", "en", TORONTO), "October 5");
  assert.equal(timeInWords(when, "month", "fr", TORONTO), "5 octobre");
});
