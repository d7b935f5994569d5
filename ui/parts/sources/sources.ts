/**
 * `<m-sources>`: what an answer rests on, numbered. Titles and passages are strangers' texts: they are shown as text, in
 * their language, and a link leads to addresses of the web only.
 */

import { LitElement, html, nothing, type TemplateResult } from "lit";

import type { CitationFacts, SourceFacts } from "../../client/events.ts";
import type { Formats, Translate } from "../../client/texts.ts";
import { addressOf, headingBelow, siteOf } from "./address.ts";
import { verdictOf, type Verdict } from "./verdicts.ts";
import "./sources.css";

const GIVEN = new Set(["context", "content", "text"]);

export class SourcesElement extends LitElement {
  static override properties = {
    sources: { attribute: false },
    citations: { attribute: false },
    t: { attribute: false },
    format: { attribute: false },
    opened: { state: true },
    shown: { state: true },
  };

  /** As `source` events tell them, or the provenance of the answer. */
  declare sources: readonly SourceFacts[];
  /** As `citation` events tell them, or the provenance; null as long as the answer is not complete. */
  declare citations: readonly CitationFacts[] | null;
  declare t: Translate;
  declare format: Formats | null;
  declare opened: ReadonlySet<number>;
  /** The source that was asked for last: it is marked. */
  declare shown: number;

  static #instances = 0;
  readonly #name = `sources-${SourcesElement.#instances++}`;

  constructor() {
    super();
    this.sources = [];
    this.citations = null;
    this.t = (key) => key;
    this.format = null;
    this.opened = new Set();
    this.shown = 0;
  }

  /** Show the passage of a source, mark it, and put the focus there. False where there is no such source. */
  async open(number: number): Promise<boolean> {
    if (!this.sources.some((one) => one.number === number)) return false;
    this.opened = new Set([...this.opened, number]);
    this.shown = number;
    await this.updateComplete;
    const item = this.querySelector<HTMLElement>(`[data-number="${number}"]`);
    const place = item?.querySelector<HTMLElement>("blockquote") ?? item;
    place?.focus({ preventScroll: true });
    place?.scrollIntoView({ block: "nearest" });
    return true;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override render(): TemplateResult | typeof nothing {
    if (!this.sources.length) return nothing;
    const sorted = [...this.sources].sort((one, other) => one.number - other.number);
    return html`
      <section class="sources-list" aria-labelledby=${this.#name}>
        <h3 id=${this.#name}>${this.t("sources.heading")}</h3>
        <ol role="list">${sorted.map((source) => this.#item(source))}</ol>
      </section>
    `;
  }

  #item(source: SourceFacts): TemplateResult {
    const isShown = source.number === this.shown;
    return html`
      <li class=${isShown ? "source is-shown" : "source"} data-number=${source.number} tabindex="-1">
        <span class="source-number">[${source.number}]</span>
        <div class="source-about">${GIVEN.has(source.kind) ? this.#given(source) : this.#found(source)}</div>
      </li>
    `;
  }

  #given(source: SourceFacts): TemplateResult {
    const characters = this.format?.number(source.characters ?? 0) ?? "";
    const length = source.characters ? `, ${this.t("sources.characters", { characters })}` : "";
    return html`<span><span class="source-title">${this.t("sources.given")}</span>${length}</span> ${this.#passage(source)}`;
  }

  #found(source: SourceFacts): TemplateResult {
    const address = addressOf(source);
    const title = source.title?.trim() || this.t("sources.untitled");
    const named = html`<span lang=${this.#spoken(source)}>${title}</span>`;
    const below = headingBelow(source);
    return html`
      ${address
        ? html`<a class="source-title" href=${address} target="_blank" rel="noopener noreferrer nofollow"
            >${named}<span class="hidden-text"> ${this.t("sources.new_tab")}</span></a
          >`
        : html`<span class="source-title">${named}</span>`}
      ${below ? html`<span class="source-below" lang=${this.#spoken(source)}>${below}</span>` : nothing}
      <span class="source-where">${this.#where(source)}</span>
      ${this.#verdict(source)} ${this.#passage(source)}
    `;
  }

  #where(source: SourceFacts): string {
    return [
      siteOf(source) || (source.address ?? ""),
      source.page ? this.t("sources.page", { page: source.page }) : "",
      source.read && this.format ? this.t("sources.read", { when: this.format.moment(source.read) }) : "",
    ]
      .filter(Boolean)
      .join(" · ");
  }

  #verdict(source: SourceFacts): TemplateResult | typeof nothing {
    if (this.citations === null) return nothing;
    const verdict = verdictOf(source.number, this.citations);
    const words: Record<Verdict, string> = {
      supported: this.t("sources.supported"),
      unsupported: this.t("sources.unsupported"),
      unknown: this.t("sources.unknown"),
    };
    if (verdict === null) return html`<span class="source-verdict">${this.t("sources.not_cited")}</span>`;
    return html`<span class="source-verdict is-${verdict}">${this.t("sources.cited")}. ${words[verdict]}</span>`;
  }

  #passage(source: SourceFacts): TemplateResult | typeof nothing {
    if (!source.passage) return nothing;
    return html`
      <details ?open=${this.opened.has(source.number)} @toggle=${(event: Event) => this.#onToggle(source.number, event)}>
        <summary>${this.t("sources.passage", { number: source.number })}</summary>
        <blockquote tabindex="-1" lang=${this.#spoken(source)}>${source.passage}</blockquote>
      </details>
    `;
  }

  #onToggle(number: number, event: Event): void {
    if (!(event.target instanceof HTMLDetailsElement)) return;
    const opened = new Set(this.opened);
    if (event.target.open) opened.add(number);
    else opened.delete(number);
    this.opened = opened;
  }

  #spoken(source: SourceFacts): string | typeof nothing {
    return source.language ? `${source.language}-CA` : nothing;
  }
}

customElements.define("m-sources", SourcesElement);

declare global {
  interface HTMLElementTagNameMap {
    "m-sources": SourcesElement;
  }
}
