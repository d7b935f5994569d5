/**
 * The settings of these pages: a dialogue whose choices hold at once, on every page of this browser.
 *
 * Loaded when it is first opened. Escape and a click beside it close it; the focus returns to what opened it.
 */

import { defineCustomElement as defineRadios } from "@gcds-core/components/dist/components/gcds-radios.js";
import { LitElement, html } from "lit";
import type { TemplateResult } from "lit";

import { DEFAULTS, prefer, preferences } from "../../client/preferences.ts";
import type { Preferences } from "../../client/preferences.ts";
import { translator } from "../../client/texts.ts";
import type { SettingsKey, Translate } from "../../client/texts.ts";
import "./settings.css";

type Group = "scheme" | "text" | "motion" | "announcements" | "enter";

interface Choice {
  readonly group: Group;
  readonly options: readonly string[];
  readonly shown: (now: Preferences) => string;
  readonly chosen: (option: string) => Partial<Preferences>;
}

const among = <Option extends string>(options: readonly Option[], option: string): Option | undefined =>
  options.find((each) => each === option);

/** A choice whose options are the values of one preference. */
function plain<Name extends "scheme" | "textSize" | "motion" | "announcements">(
  group: Group,
  name: Name,
  options: readonly Preferences[Name][],
): Choice {
  return {
    group,
    options,
    shown: (now) => now[name],
    chosen: (option) => {
      const value = among(options, option);
      return value === undefined ? {} : { [name]: value };
    },
  };
}

const CHOICES: readonly Choice[] = [
  plain("scheme", "scheme", ["system", "light", "dark"]),
  plain("text", "textSize", ["normal", "large", "larger"]),
  plain("motion", "motion", ["system", "reduced"]),
  {
    group: "enter",
    options: ["sends", "line"],
    shown: (now) => (now.enterSends ? "sends" : "line"),
    chosen: (option) => ({ enterSends: option === "sends" }),
  },
  plain("announcements", "announcements", ["none", "status", "full"]),
];

class Settings extends LitElement {
  static override properties = { said: { state: true }, now: { state: true } };

  declare say: Translate<SettingsKey>;
  declare said: string;
  declare now: Preferences;

  constructor() {
    super();
    this.said = "";
    this.now = preferences();
  }

  protected override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    const say = this.say;
    return html`
      <dialog class="settings" aria-labelledby="settings-title" @click=${this.#onClick}>
        <form method="dialog">
          <div class="settings-head">
            <h2 id="settings-title" tabindex="-1" autofocus>${say("title")}</h2>
            <button class="tool" aria-label=${say("close")}>
              <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6 6 18" /></svg>
            </button>
          </div>
          <p class="hint">${say("lead")}</p>
          <div class="settings-choices">${CHOICES.map((choice) => this.#group(choice))}</div>
          <div class="settings-foot">
            <p role="status">${this.said}</p>
            <button type="button" class="button" @click=${this.#reset}>${say("reset")}</button>
            <button class="button button-main">${say("close")}</button>
          </div>
        </form>
      </dialog>
    `;
  }

  #group(choice: Choice): TemplateResult {
    const options = choice.options.map((option) => ({
      id: `settings-${choice.group}-${option}`,
      value: option,
      label: this.say(`${choice.group}.${option}` as SettingsKey),
    }));
    return html`<gcds-radios
      name="settings-${choice.group}"
      legend=${this.say(choice.group)}
      .options=${options}
      .value=${choice.shown(this.now)}
      @gcdsChange=${(event: CustomEvent<string>) => this.#choose(choice.chosen(event.detail))}
    ></gcds-radios>`;
  }

  #choose(chosen: Partial<Preferences>): void {
    this.said = prefer(chosen) ? "" : this.say("unsaved");
    this.now = preferences();
  }

  #reset(): void {
    this.#choose(DEFAULTS);
    this.said ||= this.say("was_reset");
  }

  #onClick(event: MouseEvent): void {
    if (event.target instanceof HTMLDialogElement) event.target.close();
  }

  /** Show it; what had the focus before has it again in the end. */
  async open(): Promise<void> {
    this.now = preferences();
    this.said = "";
    await this.updateComplete;
    await Promise.all([...this.querySelectorAll("gcds-radios")].map((radios) => ready(radios)));
    this.querySelector("dialog")?.showModal();
  }
}

/** Elements of the design system fill themselves a moment later: nothing is shown before. */
async function ready(element: Element): Promise<void> {
  if ("componentOnReady" in element && typeof element.componentOnReady === "function") await element.componentOnReady();
}

let only: Settings | undefined;

/** Open the dialogue, with its texts as JSON. */
export async function openSettings(texts: string): Promise<void> {
  if (!only) {
    defineRadios();
    customElements.define("m-settings", Settings);
    only = new Settings();
    only.say = translator<SettingsKey>(JSON.parse(texts) as Record<string, string>);
    document.body.append(only);
  }
  await only.open();
}
