/** Every part by itself, for tests: no page of the service asks for this. */

import "./parts.css";
import "../../parts/material/material.ts";
import "../../parts/dictation/dictation.ts";
import "../../parts/sources/sources.ts";
import "../../parts/account/account.ts";
import { formats, translator } from "../../client/texts.ts";

const place = document.getElementById("parts");
const page: { language: string; texts: Record<string, string>; values: Record<string, Record<string, unknown>> } =
  JSON.parse(place?.dataset["page"] ?? "{}");
const t = translator(page.texts);

for (const part of document.querySelectorAll("m-material, m-dictation, m-sources, m-account")) {
  Object.assign(part, {
    t,
    language: page.language,
    format: formats(page.language),
    ...page.values[part.localName],
  });
}
place?.setAttribute("data-ready", "");
