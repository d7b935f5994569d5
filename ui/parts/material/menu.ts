/** `<m-material-menu>`: the dialogue behind "+". It loads when it is first opened. */

import { LitElement, html, nothing, type TemplateResult } from "lit";

import { readClipboard, readable, type Trouble } from "./clipboard.ts";
import { FEEDS, WIKIPEDIA, placesOf } from "./features.ts";
import { CAMERA, CLIPBOARD, FILE, PEN, PICTURE } from "./icons.ts";
import type { MaterialElement } from "./material.ts";
import type { FileItem } from "./tray.ts";

export type Panel = "menu" | "custom" | "clipboard" | "describe";

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 };

export class MaterialMenu extends LitElement {
  static override properties = {
    host: { attribute: false },
    panel: { state: true },
    text: { state: true },
    trouble: { state: true },
  };

  declare host: MaterialElement;
  declare panel: Panel;
  declare text: string;
  /** Why the clipboard was not read; empty while there is nothing to say. */
  declare trouble: Trouble | "";
  #described: FileItem | null = null;
  #returnTo: Element | null = null;

  constructor() {
    super();
    this.panel = "menu";
    this.text = "";
    this.trouble = "";
  }

  /** Show the dialogue; what has the focus gets it back in the end. */
  open(panel: Panel): void {
    this.#returnTo = document.activeElement;
    this.#turnTo(panel);
    if (panel === "clipboard") void this.#read();
  }

  /** Ask what a picture shows. */
  describe(item: FileItem): void {
    this.#described = item;
    this.open("describe");
    this.text = item.alt;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override render(): TemplateResult {
    return html`
      <dialog
        class="material-dialogue"
        aria-labelledby="material-heading"
        @close=${this.#onClose}
        @click=${this.#onClick}
        @keydown=${this.#onKey}
      >
        <div class="material-panel">
          <div class="material-head">
            <h2 id="material-heading" tabindex="-1">${this.#heading()}</h2>
            <button type="button" class="button button-quiet" @click=${() => this.#close()}>
              ${this.#t("material.close")}
            </button>
          </div>
          ${this.#content()}
          ${this.panel === "describe"
            ? nothing
            : html`<p class="material-warning">
                ${this.#t("material.sensitive")}
                ${this.host.classification
                  ? this.#t("material.classification", { level: this.host.classification })
                  : nothing}
              </p>`}
        </div>
        <input type="file" id="material-files" class="material-input" tabindex="-1" multiple hidden @change=${this.#onFiles} />
        <input type="file" id="material-camera" class="material-input" tabindex="-1" accept="image/*" capture="environment" hidden @change=${this.#onFiles} />
      </dialog>
    `;
  }

  get #t(): MaterialElement["t"] {
    return this.host.t;
  }

  get #dialogue(): HTMLDialogElement | null {
    return this.querySelector("dialog");
  }

  #heading(): string {
    switch (this.panel) {
      case "menu":
        return this.#t("material.heading");
      case "custom":
        return this.#t("material.custom");
      case "clipboard":
        return this.#t("material.clipboard");
      case "describe":
        return this.#t("material.describe");
    }
  }

  #content(): TemplateResult {
    switch (this.panel) {
      case "menu":
        return this.#menu();
      case "custom":
        return this.#field(this.#t("material.custom.label"), this.#t("material.custom.hint"));
      case "clipboard":
        return this.#clipboard();
      case "describe":
        return this.#field(this.#t("material.describe.label"), this.#t("material.describe.hint"), 2);
    }
  }

  #menu(): TemplateResult {
    const { features } = this.host;
    const { limits } = features;
    const kinds = features.kinds.map((kind) => kind.toUpperCase()).join(", ");
    const withCamera = features.pictures && matchMedia("(pointer: coarse)").matches;
    const sees = this.#t("material.picture.hint", { limit: limits.pictures });
    return html`
      <ul class="material-items" role="list">
        ${features.custom
          ? this.#item(PEN, this.#t("material.custom"), this.#t("material.custom.hint"), () => this.#turnTo("custom"))
          : nothing}
        ${features.files
          ? this.#item(
              FILE,
              this.#t("material.file"),
              this.#t("material.file.hint", { kinds, size: this.host.size(limits.document), limit: limits.documents, days: limits.days }),
              () => this.#pick("material-files", features.kinds.map((kind) => `.${kind}`).join(",") + ",text/*"),
            )
          : nothing}
        ${features.pictures
          ? this.#item(PICTURE, this.#t("material.picture"), sees, () => this.#pick("material-files", "image/*"))
          : this.#item(PICTURE, this.#t("material.picture"), this.#t("material.problem.blind", { model: features.model }))}
        ${withCamera
          ? this.#item(CAMERA, this.#t("material.camera"), this.#t("material.camera.hint"), () => this.#pick("material-camera"))
          : nothing}
        ${features.clipboard
          ? this.#item(CLIPBOARD, this.#t("material.clipboard"), this.#t("material.clipboard.hint"), () => {
              this.#turnTo("clipboard");
              void this.#read();
            })
          : nothing}
      </ul>
      ${placesOf(features).length ? this.#places() : nothing}
    `;
  }

  #item(icon: TemplateResult, title: string, hint: string, act?: () => void): TemplateResult {
    return html`
      <li>
        <button type="button" class="material-item" aria-disabled=${act ? "false" : "true"} @click=${act ?? nothing}>
          ${icon}<span><strong>${title}</strong> <span class="material-hint">${hint}</span></span>
        </button>
      </li>
    `;
  }

  #places(): TemplateResult {
    const { features, places } = this.host;
    const row = (where: string, title: string, hint: string, name = ""): TemplateResult => html`
      <label class="material-item">
        <input
          type="checkbox"
          .checked=${places.includes(where)}
          @change=${(event: Event) => this.#choose(where, event)}
        />
        <span><strong>${title}</strong>${name} <span class="material-hint">${hint}</span></span>
      </label>
    `;
    return html`
      <fieldset class="material-places">
        <legend>${this.#t("material.places")}</legend>
        ${features.wikipedia ? row(WIKIPEDIA, this.#t("material.wikipedia"), this.#t("material.leaves")) : nothing}
        ${features.sites.map((site) => row(site, site, this.#t("material.leaves")))}
        ${features.facts.map((one) => row(`facts:${one.name}`, one.title || one.name, this.#t("material.facts.hint")))}
        ${features.feeds ? row(FEEDS, this.#t("material.feeds"), this.#t("material.feeds.hint")) : nothing}
      </fieldset>
    `;
  }

  #clipboard(): TemplateResult {
    const trouble = this.trouble;
    const said = {
      "": "",
      denied: this.#t("material.clipboard.denied"),
      missing: this.#t("material.clipboard.missing"),
      empty: this.#t("material.clipboard.empty"),
    }[trouble];
    return html`
      ${trouble ? html`<p class="material-trouble" role="status">${said}</p>` : nothing}
      ${this.#field(
        this.#t(trouble ? "material.clipboard.label" : "material.clipboard.read"),
        this.#t("material.clipboard.hint"),
      )}
    `;
  }

  #field(label: string, hint: string, rows = 6): TemplateResult {
    return html`
      <label for="material-text">${label}</label>
      <textarea
        id="material-text"
        rows=${rows}
        aria-describedby="material-text-hint"
        .value=${this.text}
        @input=${this.#onText}
        @paste=${this.#onPaste}
      ></textarea>
      <p class="hint" id="material-text-hint">${hint}</p>
      <div class="material-buttons">
        <button type="button" class="button button-main" @click=${this.#add}>${this.#t("material.take")}</button>
        ${this.panel === "describe"
          ? nothing
          : html`<button type="button" class="button" @click=${() => this.#turnTo("menu")}>${this.#t("material.back")}</button>`}
      </div>
    `;
  }

  #turnTo(panel: Panel): void {
    this.panel = panel;
    this.text = "";
    this.trouble = "";
    void this.updateComplete.then(() => {
      const dialogue = this.#dialogue;
      if (dialogue && !dialogue.open) dialogue.showModal();
      this.querySelector<HTMLElement>(panel === "menu" ? ".material-item" : "textarea")?.focus();
    });
  }

  async #read(): Promise<void> {
    const taken = await readClipboard(navigator.clipboard);
    if (this.panel !== "clipboard" || !this.#dialogue?.open) return;
    if (typeof taken === "string") {
      this.trouble = taken;
    } else if (taken.kind === "text") {
      this.text = taken.text;
    } else {
      this.#close();
      const type = taken.picture.type || "image/png";
      await this.host.take([new File([taken.picture], this.#t("material.clipboard.picture"), { type })]);
    }
  }

  #add(): void {
    const from = this.panel === "clipboard" ? "clipboard" : "custom";
    if (this.panel === "describe") {
      const item = this.host.items.find((one): one is FileItem => one.kind === "picture" && one.id === this.#described?.id);
      if (item) this.host.put({ ...item, alt: this.text.trim() });
      this.#close();
    } else if (this.host.addText(this.text, from)) {
      this.#close();
    } else {
      this.querySelector<HTMLElement>("textarea")?.focus();
    }
  }

  #pick(id: string, accept = ""): void {
    const input = this.querySelector<HTMLInputElement>(`#${id}`);
    if (!input) return;
    if (accept) input.accept = accept;
    input.value = "";
    input.click();
  }

  #onFiles(event: Event): void {
    const input = event.target;
    if (!(input instanceof HTMLInputElement) || !input.files?.length) return;
    const files = [...input.files];
    this.#close();
    void this.host.take(files);
  }

  #choose(where: string, event: Event): void {
    const box = event.target;
    if (!(box instanceof HTMLInputElement)) return;
    this.host.choose(where, box.checked);
    box.checked = this.host.places.includes(where);
  }

  #onText(event: Event): void {
    if (event.target instanceof HTMLTextAreaElement) this.text = event.target.value;
  }

  #onPaste(event: ClipboardEvent): void {
    const field = event.target;
    const data = event.clipboardData;
    if (!data || !(field instanceof HTMLTextAreaElement) || this.panel === "describe") return;
    const files = [...data.files];
    const pasted = data.getData("text/html");
    if (pasted) {
      event.preventDefault();
      const { selectionStart: start, selectionEnd: end } = field;
      void readable(pasted, data.getData("text/plain")).then((text) => {
        field.setRangeText(text, start, end, "end");
        this.text = field.value;
      });
    } else if (files.length) {
      event.preventDefault();
      this.#close();
      void this.host.take(files);
    }
  }

  /** Arrows walk through the menu; within a field they are the field's. */
  #onKey(event: KeyboardEvent): void {
    if (this.panel !== "menu" || event.target instanceof HTMLTextAreaElement) return;
    if (event.key === "Enter" && event.target instanceof HTMLInputElement) {
      event.preventDefault(); // else the form around it would be sent
      event.target.click();
    }
    const items = [...this.querySelectorAll<HTMLElement>("button.material-item, .material-item input")];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const step = STEPS[event.key];
    const next =
      step !== undefined
        ? items[(at + step + items.length) % items.length]
        : event.key === "Home"
          ? items[0]
          : event.key === "End"
            ? items.at(-1)
            : undefined;
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  /** A click beside the dialogue closes it. */
  #onClick(event: MouseEvent): void {
    if (event.target === this.#dialogue) this.#close();
  }

  #close(): void {
    this.#dialogue?.close();
  }

  /** Browsers give the focus back themselves, and at once, except to a button that was clicked where clicks do not focus. */
  #onClose(): void {
    if (document.activeElement !== document.body) return;
    if (this.#returnTo instanceof HTMLElement && this.#returnTo.isConnected) this.#returnTo.focus();
  }
}

customElements.define("m-material-menu", MaterialMenu);
