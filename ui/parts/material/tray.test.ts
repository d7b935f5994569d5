import assert from "node:assert/strict";
import { test } from "node:test";

import { NOTHING, offersAnything, placesOf } from "./features.ts";
import { materialOf, placeName, type FileItem, type Names, type TextItem } from "./tray.ts";
import { answered } from "./upload.ts";

const names: Names = {
  text: (item) => `text of ${item.text.length}`,
  picture: (item) => `picture: ${item.alt}`,
  place: (where) => `in ${where}`,
};
const text: TextItem = { kind: "text", id: 1, from: "clipboard", text: "Pasted." };
const file: FileItem = {
  kind: "document", id: 2, name: "a.pdf", size: 5, state: "ready", sent: 1, file: "file-1", problem: "", preview: "", alt: "",
};

test("what is ready goes along, in its field, and is told in the same order", () => {
  const picture: FileItem = { ...file, id: 3, kind: "picture", name: "p.png", file: "file-2", alt: "A dam" };
  const late: FileItem = { ...file, id: 4, state: "sending", file: "" };
  const failed: FileItem = { ...file, id: 5, state: "failed", file: "" };

  assert.deepEqual(materialOf([text, file, late, picture, failed], ["wikipedia.org"], " Inline ", names), {
    given: [
      { kind: "context", text: "Inline" },
      { kind: "context", text: "Pasted." },
    ],
    address: "",
    sources: ["wikipedia.org"],
    documents: ["file-1"],
    pictures: ["file-2"],
    labels: ["text of 6", "text of 7", "a.pdf", "picture: A dam", "in wikipedia.org"],
  });
});

test("places are offered as the socket names them, and called by their titles", () => {
  const facts = [{ name: "leave", title: "Leave rules" }, { name: "bare", title: "" }];
  const words = { wikipedia: "Wikipédia", feeds: "Fils" };
  const features = { ...NOTHING, wikipedia: true, sites: ["canada.ca"], facts, feeds: true };

  assert.deepEqual(placesOf(features), ["wikipedia.org", "canada.ca", "facts:leave", "facts:bare", "feeds"]);
  assert.deepEqual(
    placesOf(features).map((where) => placeName(where, facts, words)),
    ["Wikipédia", "canada.ca", "Leave rules", "bare", "Fils"],
  );
  assert.ok(offersAnything(features));
  assert.ok(!offersAnything(NOTHING));
});

test("an answer to an upload is an id, or words, or nothing that could be understood", () => {
  assert.deepEqual(answered('{"id":"file-1"}'), { id: "file-1", message: "" });
  assert.deepEqual(answered('{"error":{"message":"Too large."}}'), { id: "", message: "Too large." });
  for (const odd of ["", "<html>", "null", "[]", '{"id":3,"error":"x"}']) {
    assert.deepEqual(answered(odd), { id: "", message: "" });
  }
});
