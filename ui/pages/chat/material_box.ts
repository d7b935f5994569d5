/** What goes along with a message: chosen in `<m-material>`, or pasted into a text field where that cannot be loaded. */

import { NO_MATERIAL, type Material } from "../../client/events.ts";
import type { Formats, Translate } from "../../client/texts.ts";
import type { MaterialElement } from "../../parts/material/material.ts";
import { placesOf, type Features } from "../../parts/material/features.ts";
import { placeName } from "../../parts/material/tray.ts";
import { element, type Told } from "./page.ts";
import { load } from "./parts.ts";

export class MaterialBox {
  readonly #t: Translate;
  readonly #format: Formats;
  readonly #features: Features;
  readonly #box = element("context-box", HTMLDetailsElement);
  readonly #text = element("context", HTMLTextAreaElement);
  #chosen: MaterialElement | undefined;

  constructor(page: Told, t: Translate, format: Formats) {
    this.#t = t;
    this.#format = format;
    this.#features = page.features;
    void this.#load(page);
    if (page.features.dictation === "browser") void this.#listen(page);
  }

  /** How many files are still on their way. */
  get pending(): number {
    return this.#chosen?.pending ?? 0;
  }

  /** How many files did not arrive. */
  get failed(): number {
    return this.#chosen?.failed ?? 0;
  }

  /** Resolves once no file is on its way any more. */
  async settled(): Promise<void> {
    await this.#chosen?.settled();
  }

  collect(): Material {
    if (this.#chosen) return this.#chosen.collect();
    const text = this.#text.value.trim();
    const label = this.#t("context_sent", { characters: this.#format.number(text.length) });
    const places = this.#places();
    return {
      ...NO_MATERIAL,
      given: text ? [{ kind: "context", text }] : [],
      sources: places.map(({ where }) => where),
      labels: [...(text ? [label] : []), ...places.map(({ name }) => name)],
    };
  }

  /** It was sent. */
  clear(): void {
    this.#chosen?.clear();
    this.#text.value = "";
    this.#box.open = false;
  }

  /** The places to look in that are chosen from the start: they hold for who is faster than the element. */
  #places(): { readonly where: string; readonly name: string }[] {
    const features = this.#features;
    const offered = new Set(placesOf(features));
    const words = { wikipedia: this.#t("material.wikipedia"), feeds: this.#t("material.feeds") };
    const named = (where: string): string => placeName(where, features.facts, words);
    return features.chosen
      .filter((where) => offered.has(where))
      .map((where) => ({ where, name: this.#t("material.chip.place", { place: named(where) }) }));
  }

  async #load(page: Told): Promise<void> {
    const place = document.querySelector<MaterialElement>("m-material");
    if (!place || !(await load("material"))) {
      this.#box.classList.remove("is-spare");
      place?.classList.remove("is-coming");
      return;
    }
    Object.assign(place, {
      features: page.features,
      t: this.#t,
      language: page.language,
      classification: page.classification,
    });
    this.#box.hidden = true;
    this.#chosen = place;
    this.#forward(place);
  }

  async #listen(page: Told): Promise<void> {
    const place = document.querySelector("m-dictation");
    if (place && (await load("dictation"))) Object.assign(place, { t: this.#t, language: page.language });
  }

  /**
   * Files that are dropped on the page, or pasted into a message, go along with it. A text is pasted as what it is, also
   * where its program put a picture of it on the clipboard.
   */
  #forward(place: MaterialElement): void {
    const isFiles = (data: DataTransfer | null): boolean => Boolean(data?.types.includes("Files"));
    addEventListener("dragover", (event) => {
      if (isFiles(event.dataTransfer)) event.preventDefault();
    });
    addEventListener("drop", (event) => {
      if (!isFiles(event.dataTransfer)) return;
      event.preventDefault();
      void place.take([...(event.dataTransfer?.files ?? [])]);
    });
    element("prompt", HTMLTextAreaElement).addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length || event.clipboardData?.getData("text/plain").trim()) return;
      event.preventDefault();
      void place.take(files);
    });
  }
}
