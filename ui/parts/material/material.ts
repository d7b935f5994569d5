/**
 * `<m-material>`: the "+" button at the composer, and what goes along with the next message.
 *
 * It lays out two things, itself being `display: contents`: `.material-tray` (what goes along; hidden while there is
 * nothing), and `.material-open` (the button). Told by `material-changed` whenever something comes, goes, or is sent.
 */

import { LitElement, html, nothing, type TemplateResult } from "lit";

import type { Material } from "../../client/events.ts";
import type { Translate } from "../../client/texts.ts";
import { NOTHING, offersAnything, placesOf, type Features } from "./features.ts";
import { CLIPBOARD, PLUS } from "./icons.ts";
import { materialOf, placeName, type FileItem, type Item, type TextItem } from "./tray.ts";
import { percent, size } from "./sizes.ts";
import type { Panel } from "./menu.ts";
import type { Carrier } from "./carrier.ts";
import "./material.css";

export class MaterialElement extends LitElement {
  static override properties = {
    features: { attribute: false },
    t: { attribute: false },
    language: {},
    classification: {},
    items: { state: true },
    places: { state: true },
    inline: { state: true },
    said: { state: true },
  };

  declare features: Features;
  declare t: Translate;
  declare language: string;
  /** The highest classification that may be entered here, in words; empty where the page does not tell. */
  declare classification: string;
  declare items: readonly Item[];
  declare places: readonly string[];
  declare inline: string;
  declare said: string;

  #carrier: Promise<Carrier> | null = null;
  #nextId = 1;
  #seen: Features | null = null;
  /** Files that were given, and stand nowhere yet. */
  #coming = 0;

  constructor() {
    super();
    this.features = NOTHING;
    this.t = (key) => key;
    this.language = "en";
    this.classification = "";
    this.items = [];
    this.places = [];
    this.inline = "";
    this.said = "";
  }

  /** What goes along with the message, of what is ready. See `pending`. */
  collect(): Material {
    return materialOf(this.items, this.places, this.inline, {
      text: (item) => this.nameOf(item),
      picture: (item) => this.nameOf(item),
      place: (where) => this.placeName(where),
    });
  }

  /** How many files are still on their way. */
  get pending(): number {
    return this.#coming + this.items.filter((item) => isOnItsWay(item)).length;
  }

  /** How many files did not arrive, or were not taken. */
  get failed(): number {
    return this.items.filter((item) => item.kind !== "text" && item.state === "failed").length;
  }

  /** Resolves once no file is on its way any more. */
  async settled(): Promise<void> {
    while (this.pending) await new Promise<void>((resolve) => this.addEventListener("material-changed", () => resolve(), { once: true }));
  }

  /** After sending: what was for this message goes; places to look in stay, and files that were not there yet. */
  clear(): void {
    const late = this.items.filter(isOnItsWay);
    for (const item of this.items) if (!late.includes(item)) release(item);
    this.items = late;
    this.inline = "";
    this.#changed();
  }

  /** Files that were dropped or pasted somewhere on the page. Each is taken, or said why not. */
  async take(files: readonly File[]): Promise<void> {
    this.#coming += files.length;
    try {
      const carrier = await this.#carry();
      await Promise.all(files.map((file) => carrier.take(file)));
    } catch {
      this.#carrier = null; // its script could not be loaded: the next file has it tried again
      this.#coming -= files.length;
      this.say(this.t("material.problem.unreachable"));
      this.#changed();
    }
  }

  /** A text that was pasted or dropped; `text_html` is its HTML, where it has any: a stranger's, told as Markdown. */
  async takeText(text: string, text_html = ""): Promise<void> {
    const { readable } = await import("./clipboard.ts");
    this.addText(await readable(text_html, text), "clipboard");
  }

  /** Open the menu, at one of its panels. */
  async open(panel: Panel = "menu"): Promise<void> {
    const { MaterialMenu } = await import("./menu.ts");
    const menu = this.querySelector("m-material-menu");
    if (menu instanceof MaterialMenu) menu.open(panel);
  }

  /** Have a text go along; false where it is empty or too long, which is told. */
  addText(text: string, from: TextItem["from"]): boolean {
    const said = text.trim();
    if (!said) return false;
    const all = [...this.items.filter((item) => item.kind === "text").map((item) => item.text), this.inline, said];
    const bytes = new TextEncoder().encode(all.join("")).length;
    if (bytes > this.features.limits.text) {
      this.say(this.t("material.problem.text_long", { size: this.size(this.features.limits.text) }));
      return false;
    }
    const item: TextItem = { kind: "text", id: this.nextId(), from, text: said };
    this.items = [...this.items, item];
    this.say(this.t("material.said.added", { name: this.nameOf(item) }));
    this.#changed();
    return true;
  }

  /** Choose a place to look in, or no longer. */
  choose(where: string, isChosen: boolean): void {
    const others = this.places.filter((one) => one !== where);
    if (isChosen && others.length >= this.features.limits.places) {
      this.say(this.t("material.problem.places", { limit: this.features.limits.places }));
    } else {
      this.places = isChosen ? [...others, where] : others;
      const key = isChosen ? "material.said.added" : "material.said.removed";
      this.say(this.t(key, { name: this.placeName(where) }));
    }
    this.#changed();
  }

  /** Take something away; what is on its way is stopped. */
  takeAway(item: Item): void {
    const at = this.items.indexOf(item);
    release(item);
    this.items = this.items.filter((one) => one.id !== item.id);
    if (item.kind !== "text") void this.#carry().then((carrier) => carrier.drop(item));
    this.say(this.t("material.said.removed", { name: this.nameOf(item) }));
    this.#changed();
    void this.updateComplete.then(() => this.#focusAfter(at));
  }

  /** Add something, or tell more of it. */
  put(item: Item): void {
    const isKnown = this.items.some((one) => one.id === item.id);
    if (!isKnown && item.kind !== "text") this.#coming -= 1;
    this.items = isKnown ? this.items.map((one) => (one.id === item.id ? item : one)) : [...this.items, item];
    this.#changed();
  }

  /** Tell politely. */
  say(words: string): void {
    this.said = words;
  }

  nextId(): number {
    return this.#nextId++;
  }

  nameOf(item: Item): string {
    if (item.kind === "text") {
      const characters = item.text.length.toLocaleString(`${this.language}-CA`);
      return this.t(item.from === "clipboard" ? "material.chip.clipboard" : "material.chip.text", { characters });
    }
    return item.kind === "picture" && item.alt ? this.t("material.chip.picture", { alt: item.alt }) : item.name;
  }

  placeName(where: string): string {
    const name = placeName(where, this.features.facts, {
      wikipedia: this.t("material.wikipedia"),
      feeds: this.t("material.feeds"),
    });
    return this.t("material.chip.place", { place: name });
  }

  size(bytes: number): string {
    return size(bytes, this.language);
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override willUpdate(): void {
    if (this.features === this.#seen) return;
    this.#seen = this.features;
    const offered = new Set(placesOf(this.features));
    this.places = this.features.chosen.filter((where) => offered.has(where));
  }

  protected override render(): TemplateResult | typeof nothing {
    if (!offersAnything(this.features)) return nothing;
    const { chosen, custom, clipboard } = this.features;
    const shortcut = clipboard && chosen.includes("clipboard");
    const isOpen = custom && chosen.includes("custom");
    const isEmpty = !this.items.length && !this.places.length && !shortcut && !isOpen;
    return html`
      <div class="material-tray" ?hidden=${isEmpty}>
        ${isOpen ? this.#inlineText() : nothing}
        <ul class="material-chips" role="list" aria-label=${this.t("material.tray")} ?hidden=${!this.items.length && !this.places.length}>
          ${this.items.map((item) => this.#chip(item))} ${this.places.map((where) => this.#placeChip(where))}
        </ul>
        ${shortcut
          ? html`<button type="button" class="button button-quiet" @click=${() => this.open("clipboard")}>
              ${CLIPBOARD} ${this.t("material.clipboard")}
            </button>`
          : nothing}
      </div>
      <button
        type="button"
        class="button material-open"
        aria-haspopup="dialog"
        aria-label=${this.t("material.heading")}
        title=${this.t("material.heading")}
        @click=${() => this.open()}
      >
        ${PLUS}
      </button>
      <p class="hidden-text" role="status" aria-live="polite">${this.said}</p>
      <m-material-menu .host=${this}></m-material-menu>
    `;
  }

  #inlineText(): TemplateResult {
    return html`
      <div class="material-inline">
        <label for="material-inline">${this.t("material.custom.label")}</label>
        <textarea
          id="material-inline"
          rows="4"
          aria-describedby="material-inline-hint"
          .value=${this.inline}
          @input=${this.#onInline}
        ></textarea>
        <p class="hint" id="material-inline-hint">${this.t("material.sensitive")}</p>
      </div>
    `;
  }

  #onInline(event: Event): void {
    if (!(event.target instanceof HTMLTextAreaElement)) return;
    this.inline = event.target.value;
    this.#changed();
  }

  #chip(item: Item): TemplateResult {
    const name = this.nameOf(item);
    const isSent = isOnItsWay(item);
    return html`
      <li class="material-chip ${item.kind !== "text" && item.state === "failed" ? "is-failed" : ""}">
        ${item.kind === "picture" ? this.#picture(item) : html`<span class="material-name">${name}</span>`}
        ${item.kind === "text" ? nothing : this.#state(item, name)}
        <button
          type="button"
          class="material-remove"
          aria-label=${this.t(isSent ? "material.cancel" : "material.remove", { name })}
          @click=${() => this.takeAway(item)}
        >
          <span aria-hidden="true">×</span>
        </button>
      </li>
    `;
  }

  #picture(item: FileItem): TemplateResult {
    return html`
      ${item.preview ? html`<img class="material-preview" src=${item.preview} alt=${item.alt || item.name} />` : nothing}
      <span class="material-name">${item.name}</span>
      <button type="button" class="material-describe" @click=${() => this.#describe(item)}>
        ${this.t("material.describe")}<span class="hidden-text"> ${item.name}</span>
      </button>
    `;
  }

  #state(item: FileItem, name: string): TemplateResult | typeof nothing {
    if (item.state === "failed") return html`<span class="material-problem">${item.problem}</span>`;
    if (item.state === "ready") return html`<span class="material-size">${this.size(item.size)}</span>`;
    return html`
      <progress max="1" .value=${item.sent} aria-label=${this.t("material.progress", { name })}></progress>
      <span class="material-size">${percent(item.sent, this.language)}</span>
    `;
  }

  #placeChip(where: string): TemplateResult {
    const name = this.placeName(where);
    return html`
      <li class="material-chip">
        <span class="material-name">${name}</span>
        <button
          type="button"
          class="material-remove"
          aria-label=${this.t("material.remove", { name })}
          @click=${() => this.#unchoose(where)}
        >
          <span aria-hidden="true">×</span>
        </button>
      </li>
    `;
  }

  async #describe(item: FileItem): Promise<void> {
    const { MaterialMenu } = await import("./menu.ts");
    const menu = this.querySelector("m-material-menu");
    if (menu instanceof MaterialMenu) menu.describe(item);
  }

  #unchoose(where: string): void {
    const at = this.items.length + this.places.indexOf(where);
    this.choose(where, false);
    void this.updateComplete.then(() => this.#focusAfter(at));
  }

  /** Whoever removed something with the keyboard is not thrown back to the beginning of the page. */
  #focusAfter(at: number): void {
    const left = [...this.querySelectorAll<HTMLElement>(".material-remove")];
    (left[Math.min(at, left.length - 1)] ?? this.querySelector<HTMLElement>(".material-open"))?.focus();
  }

  #carry(): Promise<Carrier> {
    this.#carrier ??= import("./carrier.ts").then(({ Carrier }) => new Carrier(this));
    return this.#carrier;
  }

  #changed(): void {
    this.dispatchEvent(new CustomEvent("material-changed", { bubbles: true }));
  }
}

function isOnItsWay(item: Item): boolean {
  return item.kind !== "text" && (item.state === "waiting" || item.state === "sending");
}

function release(item: Item): void {
  if (item.kind === "picture" && item.preview) URL.revokeObjectURL(item.preview);
}

customElements.define("m-material", MaterialElement);

declare global {
  interface HTMLElementTagNameMap {
    "m-material": MaterialElement;
  }
}
