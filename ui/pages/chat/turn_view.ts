/** One turn on the page: what was asked and what was answered, an article each. */

import { html, nothing, render, type TemplateResult } from "lit";

import type { Provenance, SourceFacts } from "../../client/events.ts";
import { spokenLanguage } from "../../client/spoken.ts";
import type { Formats, Translate } from "../../client/texts.ts";
import type { Cited } from "../../parts/markdown/citations.ts";
import type { BlockTexts } from "../../parts/markdown/finish.ts";
import { MarkdownText } from "../../parts/markdown/text.ts";
import "../../parts/account/account.ts";
import { SourcesElement } from "../../parts/sources/sources.ts";
import { answerTools, questionTools, type Deeds, type Versions } from "./actions.ts";
import { sends } from "./composer.ts";
import { isOpen, sourcesOf, type Turn } from "./turn.ts";

const LOOK_AT = [60, 240, 600];

/** What all turns of the page share. */
export interface Shared {
  readonly persona: string;
  readonly t: Translate;
  readonly format: Formats;
  readonly deeds: Deeds;
  readonly blocks: BlockTexts;
  /** The number of the conversation. */
  conversation(): string;
  /** An article has new controls or other ones. */
  refresh(article: HTMLElement): void;
}

/** What a turn looks like depends on more than itself. */
export interface Around {
  readonly versions: Versions | null;
  readonly isBusy: boolean;
  readonly isNewest: boolean;
}

export class TurnView {
  readonly turn: Turn;
  readonly question: HTMLElement;
  readonly answer: HTMLElement;
  readonly text: MarkdownText;
  readonly #shared: Shared;
  #around: Around = { versions: null, isBusy: false, isNewest: false };
  #isEditing = false;
  #isCommenting = false;
  #looked = 0;
  #shown = "";
  #wasOpen: boolean;
  /** The numbers of the sources that citations were read against. */
  #numbers = "";

  constructor(turn: Turn, number: number, shared: Shared) {
    this.turn = turn;
    this.#shared = shared;
    this.question = article("message-you", `question-${number}`);
    this.answer = article("message-answer", `answer-${number}`);
    const place = document.createElement("div");
    place.className = "message-text";
    place.dir = "auto";
    this.text = new MarkdownText(place, shared.blocks);
    this.text.onpaint = (changed) => {
      if (this.answer.tabIndex >= 0) return;
      for (const block of changed) {
        for (const control of block.querySelectorAll<HTMLElement>("a:not([tabindex]), button:not([tabindex])")) {
          control.tabIndex = -1;
        }
      }
    };
    place.addEventListener("click", (event) => {
      const cited = event.target instanceof Element ? event.target.closest<HTMLElement>(".citation") : null;
      if (!cited) return;
      event.preventDefault();
      shared.deeds.cite(turn, Number(cited.dataset["source"]));
    });
    this.#wasOpen = isOpen(turn);
    this.#cite();
    if (turn.answer) this.text.set(turn.answer, !this.#wasOpen);
    this.#shown = turn.answer;
    this.#speak(true);
  }

  /** A piece of its answer has come. */
  grow(piece: string): void {
    this.#shown += piece;
    this.text.append(piece);
    const next = LOOK_AT[this.#looked];
    if (next !== undefined && this.turn.answer.length >= next) {
      this.#looked += 1;
      this.#speak(false);
    }
  }

  /** Show the state that the turn is in. */
  update(around: Around = this.#around): void {
    const { turn } = this;
    this.#around = around;
    const isCitedAnew = this.#cite() && !isOpen(turn) && /\[\d/.test(turn.answer);
    if (turn.answer !== this.#shown || isCitedAnew) {
      this.#shown = turn.answer;
      this.#looked = 0;
      this.text.set(turn.answer, !isOpen(turn));
    } else if (this.#wasOpen && !isOpen(turn)) {
      void this.text.settle().then(() => this.#shared.refresh(this.answer));
    }
    this.#wasOpen = isOpen(turn);
    if (!isOpen(turn)) this.#speak(true);
    this.answer.classList.toggle("is-streaming", turn.phase === "asked" || turn.phase === "streaming");
    this.answer.classList.toggle("has-sources", sourcesOf(turn).length > 0);
    this.answer.hidden = turn.phase === "waiting";
    render(this.#questionParts(), this.question);
    render(this.#answerParts(), this.answer);
    this.#shared.refresh(this.question);
    this.#shared.refresh(this.answer);
  }

  /** Show the source that an answer cites by `number`, and lead the keyboard there. */
  showSource(number: number): void {
    const list = this.answer.querySelector("m-sources");
    if (list instanceof SourcesElement) void list.open(number);
  }

  /** Lead the keyboard to the button that was used, or its like. */
  focusTool(kind: string): void {
    this.answer.querySelector<HTMLElement>(`.tool-${kind}`)?.focus();
  }

  #questionParts(): TemplateResult {
    const { t, deeds } = this.#shared;
    const { turn } = this;
    const { versions, isBusy } = this.#around;
    const isEdited = versions?.all.some(({ prompt }) => prompt !== turn.prompt) ? versions : null;
    const lang = spokenLanguage(turn.prompt);
    return html`<h2 class="message-who" id="${this.question.id}-who">${t("you")}</h2>
      ${this.#isEditing
        ? this.#editor()
        : html`<div class="message-text" dir="auto" lang=${lang ? `${lang}-CA` : nothing}>
            ${turn.prompt.split(/\n{2,}/).map((paragraph) => html`<p>${paragraph}</p>`)}
          </div>`}
      ${turn.material.labels.length
        ? html`<ul class="sent-along" role="list">${turn.material.labels.map((label) => html`<li>${label}</li>`)}</ul>`
        : nothing}
      ${turn.phase === "waiting" ? html`<p class="notice">${t(isBusy ? "waits" : "held")}</p>` : nothing}
      ${this.#isEditing ? nothing : questionTools(turn, isEdited, isBusy, t, deeds, () => this.#edit(true))}`;
  }

  #answerParts(): TemplateResult {
    const { t, persona, deeds } = this.#shared;
    const { turn } = this;
    const { versions, isBusy, isNewest } = this.#around;
    const isSame = versions?.all.every(({ prompt }) => prompt === turn.prompt) ? versions : null;
    const words = this.#outcome();
    const isWarning = turn.phase === "interrupted" || turn.phase === "failed";
    const sources = sourcesOf(turn);
    const list = (name: string, notices: readonly string[]): TemplateResult | typeof nothing =>
      notices.length ? html`<ul class=${name} role="list">${notices.map((notice) => html`<li>${notice}</li>`)}</ul>` : nothing;
    return html`<h2 class="message-who" id="${this.answer.id}-who">${persona} <span class="generated">${t("generated")}</span></h2>
      <div class="message-body">
        ${list("notices", turn.notices)} ${this.text.place}
        ${isOpen(turn) && !turn.answer ? html`<p class="dots" aria-hidden="true"><span></span><span></span><span></span></p>` : nothing}
        ${list("endnotes", turn.endnotes)}
        ${words ? html`<p class="notice${isWarning ? " is-warning" : ""}">${words}</p>` : nothing}
        ${answerTools(turn, { versions: isSame, isBusy, isNewest, comment: this.#comment() }, t, deeds)}
      </div>
      ${sources.length ? html`<div class="sources">${this.#sources(sources)}</div>` : nothing}
      ${turn.provenance ? html`<div class="about">${this.#account(turn.provenance)}</div>` : nothing}`;
  }

  #sources(sources: readonly SourceFacts[]): TemplateResult {
    const { t, format } = this.#shared;
    const citations = this.turn.provenance ? (this.turn.provenance.citations ?? []) : null;
    return html`<m-sources .sources=${sources} .citations=${citations} .t=${t} .format=${format}></m-sources>`;
  }

  #account(provenance: Provenance): TemplateResult {
    const { t, format } = this.#shared;
    const conversation = this.#shared.conversation();
    return html`<m-account .provenance=${provenance} .conversation=${conversation} .t=${t} .format=${format}></m-account>`;
  }

  #outcome(): string {
    const { t } = this.#shared;
    const { phase, stoppedHere, answer } = this.turn;
    if (phase === "stopped") return t(stoppedHere ? "stopped" : "stopped_elsewhere");
    if (phase === "interrupted") return t("interrupted");
    if (phase !== "failed") return "";
    return answer ? t("interrupted") : t("no_answer");
  }

  #editor(): TemplateResult {
    const { t, deeds } = this.#shared;
    const field = `${this.question.id}-edit`;
    const send = (event: Event): void => {
      event.preventDefault();
      const written = this.question.querySelector("textarea")?.value.trim();
      if (!written) return;
      this.#edit(false);
      deeds.edit(this.turn, written);
    };
    const key = (event: KeyboardEvent): void => {
      event.stopPropagation();
      if (event.key === "Escape") this.#edit(false);
      else if (sends(event)) send(event);
    };
    return html`<form class="editor" @submit=${send}>
      <label class="hidden-text" for=${field}>${t("edit.label")}</label>
      <textarea id=${field} rows="3" .value=${this.turn.prompt} @keydown=${key}></textarea>
      <p class="hint">${t("edit.hint")}</p>
      <p class="editor-buttons">
        <button type="submit" class="button button-main button-quiet">${t("edit.send")}</button>
        <button type="button" class="button button-quiet" @click=${() => this.#edit(false)}>${t("cancel")}</button>
      </p>
    </form>`;
  }

  #edit(isEditing: boolean): void {
    this.#isEditing = isEditing;
    this.update();
    if (isEditing) this.question.querySelector("textarea")?.focus();
    else this.question.querySelector<HTMLElement>(".tool-edit")?.focus();
  }

  /** Ask for a comment, once an answer was judged. */
  comment(isCommenting: boolean): void {
    this.#isCommenting = isCommenting;
    this.update();
  }

  #comment(): TemplateResult | typeof nothing {
    const { feedback } = this.turn;
    if (!this.#isCommenting || !feedback) return nothing;
    const { t, deeds } = this.#shared;
    const field = `${this.answer.id}-comment`;
    const close = (): void => {
      this.comment(false);
      this.focusTool(feedback.value);
    };
    const send = (event: Event): void => {
      event.preventDefault();
      const comment = this.answer.querySelector("textarea")?.value.trim() ?? "";
      close();
      deeds.think(this.turn, { value: feedback.value, comment });
    };
    const key = (event: KeyboardEvent): void => {
      event.stopPropagation();
      if (event.key === "Escape") close();
    };
    return html`<form class="editor comment" @submit=${send} @keydown=${key}>
      <label for=${field}>${t("comment.label")}</label>
      <textarea id=${field} rows="2" maxlength="2000" .value=${feedback.comment}></textarea>
      <p class="editor-buttons">
        <button type="submit" class="button button-quiet">${t("comment.send")}</button>
        <button type="button" class="button button-quiet" @click=${close}>${t("comment.close")}</button>
      </p>
    </form>`;
  }

  /** Read citations against the sources that are known now. True where these are others than before. */
  #cite(): boolean {
    const numbers = sourcesOf(this.turn)
      .map(({ number }) => number)
      .join();
    if (numbers === this.#numbers) return false;
    this.#numbers = numbers;
    const { t } = this.#shared;
    const cited: Cited = {
      has: (number) => sourcesOf(this.turn).some((source) => source.number === number),
      label: (number, isDoubtful) => t(isDoubtful ? "cited_doubtful" : "cited", { number }),
    };
    this.text.cited = cited;
    return true;
  }

  /** Mark in which language the answer is, as far as that can be told. */
  #speak(isSure: boolean): void {
    const { answer, provenance } = this.turn;
    const spoken = (isSure && provenance?.answer_language) || spokenLanguage(answer);
    if (spoken) this.text.place.lang = spoken === "en" || spoken === "fr" ? `${spoken}-CA` : spoken;
    else this.text.place.removeAttribute("lang");
  }
}

function article(kind: string, id: string): HTMLElement {
  const made = document.createElement("article");
  made.className = `message ${kind}`;
  made.id = id;
  made.tabIndex = -1;
  made.setAttribute("aria-labelledby", `${id}-who`);
  return made;
}
