import assert from "node:assert/strict";
import { test } from "node:test";

import { NOTHING, type Features } from "./features.ts";
import { endingOf, looksLikeText, problemOf, sortOf } from "./kinds.ts";
import { scaled, sentAs } from "./scaling.ts";
import { percent, size } from "./sizes.ts";

const KINDS = ["pdf", "docx", "txt"];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("an ending is what follows the last dot of a name", () => {
  assert.equal(endingOf("Report.final.PDF"), "pdf");
  assert.equal(endingOf("folder.d/README"), "");
  assert.equal(endingOf("archive."), "");
});

test("documents are known by their endings, pictures by their types, the rest by its bytes or not at all", () => {
  assert.equal(sortOf("a.pdf", "application/pdf", KINDS), "document");
  assert.equal(sortOf("a.docx", "", KINDS), "document");
  assert.equal(sortOf("photo", "image/jpeg", KINDS), "picture");
  assert.equal(sortOf("photo.HEIC", "", KINDS), "picture");
  assert.equal(sortOf("drawing.svg", "image/svg+xml", KINDS), "unsure");
  assert.equal(sortOf("notes.log", "", KINDS), "unsure");
  assert.equal(sortOf("data.json", "application/json", KINDS), "unsure");
  assert.equal(sortOf("film.mp4", "video/mp4", KINDS), "unsupported");
  assert.equal(sortOf("old.doc", "application/msword", KINDS), "unsupported");
});

test("text is what has hardly any control characters", () => {
  assert.ok(looksLikeText(bytes("Élan\tet castor\r\n")));
  assert.ok(looksLikeText(new Uint8Array([0xff, 0xfe, 0x41, 0x00])));
  assert.ok(!looksLikeText(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0])));
});

test("why a file is not taken", () => {
  const features: Features = { ...NOTHING, files: true, limits: { ...NOTHING.limits, document: 100 } };
  assert.equal(problemOf("document", 100, features), null);
  assert.equal(problemOf("document", 101, features), "too_large");
  assert.equal(problemOf("document", 0, features), "empty");
  assert.equal(problemOf("unsupported", 10, features), "unsupported");
  assert.equal(problemOf("picture", 10, features), "blind");
  assert.equal(problemOf("picture", 1e9, { ...features, pictures: true }), null);
  assert.equal(problemOf("document", 10, { ...features, files: false }), "files_off");
});

test("pictures are made smaller in their proportions, and never larger", () => {
  assert.deepEqual(scaled({ width: 4032, height: 3024 }), { width: 1568, height: 1176 });
  assert.deepEqual(scaled({ width: 300, height: 200 }), { width: 300, height: 200 });
  assert.deepEqual(scaled({ width: 20_000, height: 2 }), { width: 1568, height: 1 });
});

test("drawings are sent sharp, photographs small", () => {
  assert.equal(sentAs("image/png"), "image/png");
  assert.equal(sentAs("image/gif"), "image/png");
  assert.equal(sentAs("image/jpeg"), "image/jpeg");
  assert.equal(sentAs("image/heic"), "image/jpeg");
});

test("sizes and shares are written as the language writes them", () => {
  assert.equal(size(104_857_600, "en"), "100 MB");
  assert.equal(size(2_621_440, "fr").replace(/\s/g, " "), "2,5 Mo");
  assert.equal(size(12, "en"), "12 bytes");
  assert.equal(percent(0.4, "en"), "40%");
  assert.equal(percent(0.4, "fr").replace(/\s/g, " "), "40 %");
});
