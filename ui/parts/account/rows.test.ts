import assert from "node:assert/strict";
import { test } from "node:test";

import type { Provenance } from "../../client/events.ts";
import { formats } from "../../client/texts.ts";
import { rowsOf } from "./rows.ts";

const t = (key: string, values: Readonly<Record<string, string | number>> = {}): string =>
  [key, ...Object.values(values)].join(" ");

const ACCOUNT = { service: "menagerie 1", persona: "beaver", language: "en", model: { name: "Llama" }, started: "" };

function told(more: Partial<Provenance> = {}, language = "en"): Record<string, string> {
  return Object.fromEntries(rowsOf({ ...ACCOUNT, ...more }, "c1", t, formats(language)).map((row) => [row.name, row.value]));
}

test("what is not known is left out", () => {
  const rows = told();
  assert.deepEqual(Object.keys(rows), [
    "about.model", "about.persona", "about.finish", "about.sources", "about.tokens", "about.service", "about.conversation",
  ]);
});

test("numbers are written as the language writes them, and speed counts from the first word on", () => {
  const account = {
    answer_tokens: 101, prompt_tokens: 12345,
    timings: { queued_ms: 12, first_token_ms: 500, total_ms: 5500, grounding_ms: 1234 }, dropped_messages: 2,
    citations: [{ number: 1, start: 0, end: 1, verdict: "supported" }, { number: 1, start: 2, end: 3, verdict: "unknown" }],
  };
  const rows = told(account, "fr");
  assert.equal(rows["about.speed"], "about.speed_value 20,0");
  assert.equal(rows["about.looking"], "1,2\u00a0s");
  assert.equal(rows["about.tokens"]?.replace(/\s/g, " "), "about.tokens_value 12 345 0 101");
  assert.equal(rows["about.citations"], "about.citations.supported 1; about.citations.unknown 1");
  assert.equal(rows["about.dropped"], "2");
});

test("an answer to a schema says how it was held to it", () => {
  const schema = { verdict: "verified", strength: "strict", verified: ["minLength"], attempts: 2, closed: true };
  const rows = told({ schema });
  assert.equal(rows["about.schema"], "about.schema_verified minLength; about.schema_attempts 2; about.schema_closed");
});
