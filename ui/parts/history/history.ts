/**
 * `<m-history>`: the conversations of whoever looks at the page: found, taken up, named, taken along and deleted.
 *
 * Events: `conversation-chosen` (cancelable: then its link is not followed), `conversation-renamed`,
 * `conversation-deleted`, whose `detail` is a `Told`; `conversations-listed` where the list has come.
 */

import "./history.css";

import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { isUnknown, type ExportFormat, type Summary } from "../../client/conversations.ts";
import type { Remembered } from "../../client/kept_here.ts";
import { library, type Change, type Library } from "../../client/library.ts";
import type { Translate } from "../../client/texts.ts";
import { grouped, type Group, type Period } from "./days.ts";
import { Deleting } from "./deleting.ts";
import { personaFilter } from "./filter.ts";
import { item, periodInWords, renameForm, shownTitle, type PersonaTitles } from "./item.ts";
import { Listing } from "./listing.ts";
import { actionsMenu, OpenMenu } from "./menu.ts";
import { moveAlong } from "./moving.ts";
import { save } from "./saving.ts";
import { foundInWords, nothingInWords, sentence } from "./sentence.ts";

/** The conversation that an event is about. */
export interface Told {
  readonly id: string;
  readonly persona: string;
  readonly title: string;
}

const TYPED = 250;
const SKIP_FROM = 8;

let made = 0;

export class History extends LitElement {
  static override properties = {
    persona: { type: String },
    current: { type: String },
    language: { type: String },
    t: { attribute: false },
    personas: { attribute: false },
    full: { type: Boolean, reflect: true },
    query: { state: true },
    told: { state: true },
    renaming: { state: true },
    trouble: { state: true },
  };

  /** Only conversations with this persona; "" for all. */
  declare persona: string;
  /** The id of the conversation that the page shows. */
  declare current: string;
  declare language: string;
  declare t: Translate;
  /** What personas are called; those that are missing are told by their names. */
  declare personas: PersonaTitles;
  /** As the main thing of a page: wide, with a choice of persona. */
  declare full: boolean;

  declare private query: string;
  declare private told: string;
  declare private renaming: string;
  /** What went wrong with one conversation. */
  declare private trouble: { readonly id: string; readonly text: string } | null;

  readonly #name = `history-${++made}`;
  readonly #listing = new Listing(() => this.requestUpdate());
  readonly #menu = new OpenMenu(this, (id, what) => this.#part(id, what));
  readonly #deleting = new Deleting(this, this.#name, (one, isGone) => this.#deleted(one, isGone));
  /** Where the conversation stands that is being deleted. */
  #place = 0;
  #busy = false;
  /** There is something to search. */
  #isSearchable = false;
  #library: Library | undefined;
  #unsubscribe: (() => void) | undefined;
  #typing: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.persona = "";
    this.current = "";
    this.language = "en";
    this.t = (key) => key;
    this.personas = {};
    this.full = false;
    this.query = "";
    this.told = "";
    this.renaming = "";
    this.trouble = null;
  }

  /** To be called by the page after each turn: the conversation is now the newest. Never throws. */
  remember(turn: Remembered): Promise<void> {
    return library(this.language).remember(turn);
  }

  /** Ask for the list again. */
  async refresh(): Promise<void> {
    await this.#load();
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("online", this.#again);
    addEventListener("scroll", this.#menu.moved, { capture: true, passive: true });
    addEventListener("resize", this.#menu.moved);
    document.addEventListener("visibilitychange", this.#seen);
    if (this.hasUpdated) this.#attach();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("online", this.#again);
    removeEventListener("scroll", this.#menu.moved, { capture: true });
    removeEventListener("resize", this.#menu.moved);
    document.removeEventListener("visibilitychange", this.#seen);
    this.#unsubscribe?.();
    this.#listing.stop();
    clearTimeout(this.#typing);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!this.hasUpdated || changed.has("language")) this.#attach();
    else if (changed.has("persona")) void this.#load();
    const { shown, next, phase } = this.#listing;
    if (shown.length > 0 || next || this.#isSearch) this.#isSearchable = true;
    // Not under the hands of somebody who empties the field.
    else if (phase === "ready" && !this.contains(document.activeElement)) this.#isSearchable = false;
  }

  protected override render(): TemplateResult {
    const { t } = this;
    return html`
      <search class="history-search" ?hidden=${!this.#isSearchable}>
        <div class="history-field">
          <label for=${`${this.#name}-q`}>${t("history.search")}</label>
          <input id=${`${this.#name}-q`} type="search" maxlength="200" autocomplete="off" spellcheck="false"
            .value=${this.query} @input=${this.#typed} />
        </div>
        ${this.full
          ? personaFilter({ t, language: this.language, name: this.#name, personas: this.personas, chosen: this.persona, onChoose: (name) => (this.persona = name) })
          : nothing}
      </search>
      <p class="history-told" role="status">${this.told}</p>
      <div role="alert">
        ${this.#listing.shown.some((one) => one.id === this.trouble?.id) ? nothing : this.#fault()}
      </div>
      ${!this.full && this.#listing.shown.length >= SKIP_FROM
        ? html`<button type="button" class="history-skip button button-quiet" @click=${this.#skip}>${t("history.skip")}</button>`
        : nothing}
      <div class="history-list" aria-busy=${this.#listing.phase === "loading"} @keydown=${(event: KeyboardEvent) => moveAlong(this, event)}>${this.#content()}</div>
      <span class="history-end" tabindex="-1"></span>
      ${this.#deleting.view(async (id) => this.#library?.delete(id))}
    `;
  }

  #content(): TemplateResult {
    const { t } = this;
    const { phase, shown, next, error } = this.#listing;
    if (phase === "failed") {
      return html`<div class="history-failed">
        <p>${sentence(error, t)}</p>
        <button type="button" class="button button-quiet" @click=${this.#again}>${t("history.again")}</button>
      </div>`;
    }
    if (shown.length === 0 && !next) {
      if (phase === "loading") return html`<p class="history-nothing">${t("history.loading")}</p>`;
      // What a search has not found is told where it is asked for.
      return this.#isSearch ? html`` : html`<p class="history-nothing">${this.persona ? t("history.empty_persona") : nothingInWords(this.#listing, t)}</p>`;
    }
    const groups = grouped(shown, new Date());
    return html`${repeat(groups, (group) => group.key, (group) => this.#group(group))}
      ${next
        ? html`<button type="button" class="history-more button" aria-disabled=${phase === "loading"} @click=${this.#more}>
            ${t(this.query ? "history.further" : "history.more")}
          </button>`
        : nothing}`;
  }

  #group(group: Group): TemplateResult {
    const id = `${this.#name}-${group.key}`;
    const heading = periodInWords(group, this.language, this.t);
    return html`<section class="history-group" aria-labelledby=${id}>
      ${this.full ? html`<h2 id=${id}>${heading}</h2>` : html`<h3 id=${id}>${heading}</h3>`}
      <ul role="list">
        ${repeat(group.conversations, (one) => one.id, (one) => this.#item(one, group.period))}
      </ul>
    </section>`;
  }

  #item(one: Summary, period: Period): TemplateResult {
    const { t, language, personas } = this;
    const name = `${this.#name}-of-${one.id}`;
    const isOpen = one.id === this.#menu.of;
    const isCurrent = one.id === this.current;
    return html`<li class="history-item" data-id=${one.id} ?data-current=${isCurrent}>
      ${one.id === this.renaming
        ? renameForm(one, {
            t,
            name,
            onSave: (title) => void this.#rename(one, title),
            onCancel: () => void this.#stopRenaming(one.id),
          })
        : item(one, {
            t,
            language,
            period,
            name,
            personas,
            showsPersona: this.full || !this.persona,
            isShort: !this.full,
            isCurrent,
            isOpen,
            onChoose: (event) => this.#choose(event, one),
            onPress: () => this.#menu.press(one.id),
            onActions: () => this.#openMenu(one.id),
          })}
      ${isOpen
        ? actionsMenu({
            t,
            title: shownTitle(one, t),
            onExport: (format) => void this.#export(one.id, format),
            onRename: () => void this.#startRenaming(one.id),
            onDelete: () => this.#ask(one),
            onClose: (back) => this.#menu.close(one.id, back),
          })
        : nothing}
      ${one.id === this.trouble?.id ? html`<div class="history-wide" role="alert">${this.#fault()}</div>` : nothing}
    </li>`;
  }

  #fault(): TemplateResult | typeof nothing {
    return this.trouble ? html`<p class="history-fault">${this.trouble.text}</p>` : nothing;
  }

  get #isSearch(): boolean {
    return Boolean(this.query.trim()) || (this.full && Boolean(this.persona));
  }

  // The list.

  #attach(): void {
    this.#unsubscribe?.();
    this.#library = library(this.language);
    this.#unsubscribe = this.#library.onChange((change) => this.#hear(change));
    void this.#load();
  }

  async #load(): Promise<void> {
    if (!this.#library) return;
    const came = await this.#listing.load(this.#library, { words: this.query.trim(), persona: this.persona });
    if (!came || this.#listing.phase !== "ready") return;
    this.told = this.#isSearch ? foundInWords(this.#listing, this.t) : "";
    this.dispatchEvent(new Event("conversations-listed"));
  }

  #hear(change: Change): void {
    if (this.#listing.hear(change)) void this.#load();
  }

  readonly #again = (): void => {
    if (this.#listing.phase === "failed") void this.#load();
  };

  /** After a while out of sight, it may be another day. */
  readonly #seen = (): void => {
    if (document.visibilityState !== "visible") return;
    this.requestUpdate();
    this.#again();
  };

  readonly #typed = (event: InputEvent): void => {
    this.query = (event.target as HTMLInputElement).value;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => void this.#load(), TYPED);
  };

  readonly #more = async (): Promise<void> => {
    if (!this.#library) return;
    const before = this.#listing.shown.length;
    const came = await this.#listing.more(this.#library);
    if (came === 0) {
      this.told = this.#listing.phase === "ready" ? foundInWords(this.#listing, this.t) : "";
      return;
    }
    this.told = this.t(came === 1 ? "history.more.one" : "history.more.some", { count: came });
    await this.updateComplete;
    this.#links()[before]?.focus();
  };

  // Moving and choosing.

  #links(): HTMLAnchorElement[] {
    return [...this.querySelectorAll<HTMLAnchorElement>(".history-link")];
  }

  #part(id: string, what: string): HTMLElement | null {
    return this.querySelector<HTMLElement>(`.history-item[data-id="${CSS.escape(id)}"] ${what}`);
  }

  readonly #skip = (): void => {
    this.querySelector<HTMLElement>(".history-end")?.focus();
  };

  #choose(event: MouseEvent, one: Summary): void {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (!this.#say("conversation-chosen", one)) event.preventDefault();
  }

  /** Whether nobody has prevented what follows. */
  #say(name: string, { id, persona, title }: Summary): boolean {
    const detail: Told = { id, persona, title };
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  // What can be done with one conversation.

  #openMenu(id: string): void {
    this.trouble = null;
    void this.#menu.open(id);
  }

  async #export(id: string, format: ExportFormat): Promise<void> {
    this.#menu.close(id, true);
    try {
      save(await library(this.language).service.export(id, format));
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #fail(id: string, error: unknown): void {
    this.trouble = { id, text: sentence(error, this.t) };
  }

  // Renaming.

  async #startRenaming(id: string): Promise<void> {
    this.#menu.close(id, false);
    this.renaming = id;
    await this.updateComplete;
    const input = this.#part(id, ".history-rename input") as HTMLInputElement | null;
    input?.focus();
    input?.select();
  }

  async #stopRenaming(id: string): Promise<void> {
    this.renaming = "";
    this.trouble = null;
    await this.updateComplete;
    this.#part(id, ".history-actions")?.focus();
  }

  async #rename(one: Summary, title: string): Promise<void> {
    if (this.#busy || !this.#library) return;
    this.#busy = true;
    this.trouble = null;
    try {
      const now = await this.#library.rename(one, title);
      this.told = this.t("history.renamed", { title: shownTitle(now, this.t) });
      this.#say("conversation-renamed", now);
      await this.#stopRenaming(one.id);
    } catch (error) {
      this.#fail(one.id, error);
      if (isUnknown(error)) this.renaming = "";
    } finally {
      this.#busy = false;
    }
  }

  #ask(one: Summary): void {
    this.#menu.close(one.id, false);
    this.trouble = null;
    this.#place = this.#listing.shown.findIndex((other) => other.id === one.id);
    void this.#deleting.ask(one);
  }

  /** The focus goes to what has moved to the place of a conversation that is gone. */
  #deleted(one: Summary, isGone: boolean): void {
    if (!isGone) {
      this.#part(one.id, ".history-actions")?.focus();
      return;
    }
    this.told = this.t("history.deleted", { title: shownTitle(one, this.t) });
    const links = this.#links();
    (links[Math.min(this.#place, links.length - 1)] ?? this.querySelector<HTMLElement>("input[type=search]"))?.focus();
    this.#say("conversation-deleted", one);
  }
}

if (!customElements.get("m-history")) customElements.define("m-history", History);

declare global {
  interface HTMLElementTagNameMap {
    "m-history": History;
  }
}
