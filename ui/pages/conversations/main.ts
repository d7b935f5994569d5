/** The page of all conversations of whoever looks at it. */

import "./conversations.css";
import "../../parts/history/history.ts";
import "./forget_all.ts";

import { library } from "../../client/library.ts";
import { translator } from "../../client/texts.ts";
import type { PersonaTitles } from "../../parts/history/item.ts";

interface Page {
  readonly language: string;
  readonly personas: PersonaTitles;
  readonly texts: Readonly<Record<string, string>>;
}

const place = document.getElementById("conversations");
const page = JSON.parse(place?.dataset["page"] ?? "{}") as Page;

const history = document.createElement("m-history");
history.language = page.language;
history.t = translator(page.texts);
history.personas = page.personas;
history.full = true;
place?.append(history);

const forget = document.createElement("m-forget-all");
forget.language = page.language;
forget.t = history.t;
document.getElementById("forget")?.append(forget);

history.addEventListener("conversations-listed", () => {
  if (!library(page.language).lasts) document.getElementById("kept-nowhere")?.removeAttribute("hidden");
});
