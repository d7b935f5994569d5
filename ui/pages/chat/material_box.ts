/** What goes along with a message: chosen in `<m-material>` where the build has it, else pasted into a text field. */

import { NO_MATERIAL, type Material } from "../../client/events.ts";
import type { Formats, Translate } from "../../client/texts.ts";
import { element, type Told } from "./page.ts";
import { has, load, type MaterialElement } from "./parts.ts";

export class MaterialBox {
  readonly #t: Translate;
  readonly #format: Formats;
  readonly #box = element("context-box", HTMLDetailsElement);
  readonly #text = element("context", HTMLTextAreaElement);
  #chosen: MaterialElement | undefined;

  constructor(page: Told, t: Translate, format: Formats) {
    this.#t = t;
    this.#format = format;
    if (has("material")) void this.#load(page);
    if (has("dictation") && page.features?.["dictation"] === "browser") void this.#listen(page);
  }

  collect(): Material {
    if (this.#chosen) return this.#chosen.collect();
    const text = this.#text.value.trim();
    if (!text) return NO_MATERIAL;
    const label = this.#t("context_sent", { characters: this.#format.number(text.length) });
    return { ...NO_MATERIAL, given: [{ kind: "context", text }], labels: [label] };
  }

  /** It was sent. */
  clear(): void {
    this.#chosen?.clear();
    this.#text.value = "";
    this.#box.open = false;
  }

  async #load(page: Told): Promise<void> {
    const place = document.querySelector<MaterialElement>("m-material");
    if (!place || !page.features || !(await load("material"))) return;
    Object.assign(place, {
      features: page.features,
      t: this.#t,
      language: page.language,
      classification: page.classification ?? "",
    });
    this.#box.hidden = true;
    this.#chosen = place;
    this.#forward(place);
  }

  async #listen(page: Told): Promise<void> {
    const place = document.querySelector("m-dictation");
    if (place && (await load("dictation"))) Object.assign(place, { t: this.#t, language: page.language });
  }

  /** Files and rich text that are dropped on the page or pasted into a message go to it. */
  #forward(place: MaterialElement): void {
    const isFiles = (data: DataTransfer | null): boolean => Boolean(data?.types.includes("Files"));
    addEventListener("dragover", (event) => {
      if (isFiles(event.dataTransfer)) event.preventDefault();
    });
    addEventListener("drop", (event) => {
      if (!isFiles(event.dataTransfer)) return;
      event.preventDefault();
      place.take([...(event.dataTransfer?.files ?? [])]);
    });
    element("prompt", HTMLTextAreaElement).addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      place.take(files);
    });
  }
}
