/** One conversation in the list: its link, its facts, the button of its menu; or the form that renames it. */

import { html, nothing, type TemplateResult } from "lit";

import { addressOf, type Summary } from "../../client/conversations.ts";
import { LONGEST_TITLE, onOneLine } from "../../client/folding.ts";
import type { Translate } from "../../client/texts.ts";
import { moment, monthInWords, timeInWords, type Group, type Period } from "./days.ts";

/** What a persona is called, by its name. */
export type PersonaTitles = Readonly<Record<string, { readonly title: string; readonly language: string }>>;

export interface ItemView {
  readonly t: Translate;
  readonly language: string;
  readonly period: Period;
  /** What its parts are called by. */
  readonly name: string;
  readonly personas: PersonaTitles;
  readonly showsPersona: boolean;
  /** A long title is cut off, and whole where the mouse rests or the focus is. */
  readonly isShort: boolean;
  readonly isCurrent: boolean;
  readonly isOpen: boolean;
  onChoose(event: MouseEvent): void;
  onPress(): void;
  onActions(): void;
}

export interface RenameView {
  readonly t: Translate;
  readonly name: string;
  onSave(title: string): void;
  onCancel(): void;
}

/** A title as it is shown: never empty, on one line, nothing in it that turns what stands beside it. */
export function shownTitle(one: Summary, t: Translate): string {
  return onOneLine(one.title) || t("history.untitled");
}

/** The attribute `lang` of something in `spoken` on a page in `language`. */
export function languageTag(spoken: string, language: string): string | typeof nothing {
  return spoken && spoken !== language && /^[a-z]{2,3}(-[A-Za-z]{2,8})*$/u.test(spoken) ? spoken : nothing;
}

/** The heading of a group. */
export function periodInWords({ period, at }: Group, language: string, t: Translate): string {
  if (period !== "month") {
    const texts = { today: "history.today", yesterday: "history.yesterday", week: "history.week" } as const;
    return t(texts[period]);
  }
  if (at.getTime() === 0) return t("history.earlier");
  const month = monthInWords(at, language);
  return `${month.slice(0, 1).toLocaleUpperCase(language)}${month.slice(1)}`;
}

export function item(one: Summary, view: ItemView): TemplateResult {
  const { t, name } = view;
  const title = shownTitle(one, t);
  return html`<div class="history-text">
      <a class="history-link" dir="auto" lang=${one.title ? languageTag(one.language, view.language) : nothing}
        href=${addressOf(view.language, one)} title=${view.isShort ? title : nothing} aria-current=${view.isCurrent ? "true" : nothing}
        aria-describedby=${`${name}-facts`} @click=${view.onChoose}>${title}</a>
      <p class="history-facts" id=${`${name}-facts`}>${facts(one, view)}</p>
    </div>
    <button type="button" class="history-actions" aria-haspopup="menu" aria-expanded=${view.isOpen}
      aria-label=${t("history.actions", { title })} @pointerdown=${view.onPress} @click=${view.onActions}>
      <svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">
        <circle cx="3" cy="8" r="1.5" /><circle cx="8" cy="8" r="1.5" /><circle cx="13" cy="8" r="1.5" />
      </svg>
    </button>`;
}

function facts(one: Summary, { personas, period, language, showsPersona }: ItemView): TemplateResult {
  const at = moment(one.last_at);
  const known = personas[one.persona];
  const persona = html`<span lang=${known ? languageTag(known.language, language) : nothing}
    >${onOneLine(known?.title ?? one.persona)}</span>`;
  const time = at.getTime() === 0 ? "" : timeInWords(at, period, language);
  return html`${showsPersona ? persona : nothing}
  ${time ? html`<time datetime=${one.last_at}>${time}</time>` : nothing}`;
}

export function renameForm(one: Summary, { t, name, onSave, onCancel }: RenameView): TemplateResult {
  const save = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    onSave(form.querySelector("input")?.value ?? "");
  };
  const leave = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.preventDefault();
    event.stopPropagation();
    onCancel();
  };
  return html`<form class="history-rename" @submit=${save} @keydown=${leave}>
    <label for=${`${name}-title`}>${t("history.rename.label", { title: shownTitle(one, t) })}</label>
    <input id=${`${name}-title`} dir="auto" maxlength=${LONGEST_TITLE} autocomplete="off"
      aria-describedby=${`${name}-hint`} .value=${onOneLine(one.title)} />
    <p class="hint" id=${`${name}-hint`}>${t("history.rename.hint")}</p>
    <div class="history-buttons">
      <button type="submit" class="button button-main button-quiet">${t("history.rename.save")}</button>
      <button type="button" class="button button-quiet" @click=${onCancel}>${t("history.cancel")}</button>
    </div>
  </form>`;
}
