import { html, type TemplateResult } from "lit";

import { onOneLine } from "../../client/folding.ts";
import type { Translate } from "../../client/texts.ts";
import type { PersonaTitles } from "./item.ts";

export interface PersonaFilter {
  readonly t: Translate;
  readonly language: string;
  /** What its parts are called by. */
  readonly name: string;
  readonly personas: PersonaTitles;
  /** The name of a persona; "" for all. */
  readonly chosen: string;
  onChoose(name: string): void;
}

/** The choice whose conversations are listed: those with one persona, or with all. */
export function personaFilter({ t, language, name, personas, chosen, onChoose }: PersonaFilter): TemplateResult {
  const titles = Object.entries(personas).map(([persona, { title }]) => [persona, onOneLine(title)] as const);
  const sorted = titles.toSorted(([, one], [, other]) => one.localeCompare(other, language));
  return html`<div class="history-field">
    <label for=${`${name}-persona`}>${t("history.persona")}</label>
    <select id=${`${name}-persona`} @change=${(event: Event) => onChoose((event.target as HTMLSelectElement).value)}>
      ${[["", t("history.persona.all")] as const, ...sorted].map(
        ([persona, title]) => html`<option value=${persona} ?selected=${persona === chosen}>${title}</option>`,
      )}
    </select>
  </div>`;
}
