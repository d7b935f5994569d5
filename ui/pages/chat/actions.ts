/** What can be done with a message: small buttons below it. */

import type { Feedback } from "../../client/conversations.ts";
import { html, nothing, type TemplateResult } from "lit";

import { AGAIN, ALOUD, BACK, BAD, COPY, EDIT, GOOD, ON } from "./icons.ts";
import type { Translate } from "../../client/texts.ts";
import { reading } from "./parts.ts";
import { isOpen, type Turn } from "./turn.ts";

/** What the buttons do. */
export interface Deeds {
  copy(turn: Turn): void;
  again(turn: Turn): void;
  edit(turn: Turn, prompt: string): void;
  choose(turn: Turn): void;
  takeBack(turn: Turn): void;
  think(turn: Turn, feedback: Feedback | null): void;
  cite(turn: Turn, number: number): void;
}

/** Where a turn stands among those in its place. */
export interface Versions {
  readonly all: readonly Turn[];
  readonly at: number;
}

interface Tool {
  readonly name: string;
  readonly icon: TemplateResult;
  readonly does: () => void;
  readonly pressed?: boolean;
  readonly kind: string;
}

const button = ({ name, icon, does, pressed, kind }: Tool): TemplateResult =>
  html`<button type="button" class="act tool-${kind}" aria-label=${name} title=${name} aria-pressed=${pressed ?? nothing} @click=${does}>${icon}</button>`;

/** Below a question. */
export function questionTools(turn: Turn, versions: Versions | null, isBusy: boolean, t: Translate, deeds: Deeds, edit: () => void): TemplateResult {
  if (turn.phase === "waiting") {
    return html`<p class="tools"><button type="button" class="button button-quiet take-back" @click=${() => deeds.takeBack(turn)}>${t("take_back")}</button></p>`;
  }
  const shown = versions ? switcher(versions, isBusy, t, deeds) : nothing;
  return html`<div class="tools">
    ${shown}
    ${isBusy ? nothing : button({ name: t("edit"), icon: EDIT, does: edit, kind: "edit" })}
  </div>`;
}

/** Below an answer. `isNewest` ones are offered again in words where they did not come to their end. */
export function answerTools(
  turn: Turn,
  { versions, isBusy, isNewest, comment }: { versions: Versions | null; isBusy: boolean; isNewest: boolean; comment: TemplateResult | typeof nothing },
  t: Translate,
  deeds: Deeds,
): TemplateResult | typeof nothing {
  if (isOpen(turn)) return nothing;
  const isWhole = turn.phase === "done";
  const again = isNewest && !isBusy && (turn.phase === "stopped" || turn.phase === "interrupted");
  const value = turn.feedback?.value;
  const think = (wanted: "good" | "bad") => () =>
    deeds.think(turn, value === wanted ? null : { value: wanted, comment: turn.feedback?.comment ?? "" });
  const reader = reading();
  return html`${again
      ? html`<button type="button" class="button button-quiet resend" @click=${() => deeds.again(turn)}>${t("resend")}</button>`
      : nothing}
    <div class="tools">
      ${versions ? switcher(versions, isBusy, t, deeds) : nothing}
      ${turn.answer ? button({ name: t("copy"), icon: COPY, does: () => deeds.copy(turn), kind: "copy" }) : nothing}
      ${isBusy || again || turn.phase === "failed" ? nothing : button({ name: t("again"), icon: AGAIN, does: () => deeds.again(turn), kind: "again" })}
      ${isWhole && turn.id
        ? html`${button({ name: t("good"), icon: GOOD, does: think("good"), pressed: value === "good", kind: "good" })}
          ${button({ name: t("bad"), icon: BAD, does: think("bad"), pressed: value === "bad", kind: "bad" })}`
        : nothing}
      ${reader && turn.answer
        ? button({ name: t("aloud"), icon: ALOUD, does: () => reader.read(turn.answer, turn.provenance?.answer_language ?? ""), kind: "aloud" })
        : nothing}
    </div>
    ${comment}`;
}

function switcher({ all, at }: Versions, isBusy: boolean, t: Translate, deeds: Deeds): TemplateResult {
  const to = (index: number) => () => {
    const turn = all[index];
    if (turn) deeds.choose(turn);
  };
  return html`<span class="versions">
    <button type="button" class="act" aria-label=${t("version.before")} title=${t("version.before")} ?disabled=${at === 0 || isBusy} @click=${to(at - 1)}>${BACK}</button>
    <span class="version">${t("version", { number: at + 1, count: all.length })}</span>
    <button type="button" class="act" aria-label=${t("version.after")} title=${t("version.after")} ?disabled=${at === all.length - 1 || isBusy} @click=${to(at + 1)}>${ON}</button>
  </span>`;
}
