/** `<m-forget-all>`: deletes all conversations of whoever looks at the page, after two steps. */

import { html, LitElement, nothing, type TemplateResult } from "lit";

import { library } from "../../client/library.ts";
import { formats, type Translate } from "../../client/texts.ts";
import { sentence } from "../../parts/history/sentence.ts";

type Step = "closed" | "counting" | "asking" | "deleting";

const AT_ONCE = 4;

export class ForgetAll extends LitElement {
  static override properties = {
    language: { type: String },
    t: { attribute: false },
    step: { state: true },
    count: { state: true },
    done: { state: true },
    wrong: { state: true },
    told: { state: true },
  };

  declare language: string;
  declare t: Translate;
  declare private step: Step;
  declare private count: number;
  declare private done: number;
  declare private wrong: string;
  declare private told: string;
  #ids: string[] = [];

  constructor() {
    super();
    this.language = "en";
    this.t = (key) => key;
    this.step = "closed";
    this.count = 0;
    this.done = 0;
    this.wrong = "";
    this.told = "";
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override render(): TemplateResult {
    const { t, step } = this;
    return html`
      <button type="button" class="button forget-open" aria-haspopup="dialog" aria-describedby="forget-hint"
        @click=${this.#begin}>${t("forget.button")}</button>
      <p class="hint" id="forget-hint">${t("forget.hint")}</p>
      <p class="forget-told" role="status">${step === "counting" ? t("forget.counting") : this.told}</p>
      ${step === "asking" || step === "deleting" ? this.#dialogue() : nothing}
    `;
  }

  #dialogue(): TemplateResult {
    const { t, count, done } = this;
    const number = formats(this.language).number;
    const how = count === 1 ? t("forget.how.one") : t("forget.how", { count: number(count) });
    const deleting = this.step === "deleting";
    return html`<dialog class="history-dialogue" aria-labelledby="forget-ask" aria-describedby="forget-how"
      @cancel=${(event: Event) => (event.preventDefault(), this.#leave())}>
      <form class="history-dialogue-body" novalidate @submit=${this.#confirm}>
        <h2 id="forget-ask">${t("forget.ask")}</h2>
        <p id="forget-how">${how}</p>
        ${deleting
          ? html`<p><label for="forget-progress">${t("forget.progress", { done: number(done), count: number(count) })}</label>
              <progress id="forget-progress" max=${count} .value=${done}></progress></p>`
          : html`<p class="forget-check">
              <input type="checkbox" id="forget-check" required aria-invalid=${this.wrong ? "true" : nothing}
                aria-describedby=${this.wrong ? "forget-wrong" : nothing} />
              <label for="forget-check">${t("forget.check")}</label>
            </p>`}
        <div role="alert">${this.wrong ? html`<p class="history-fault" id="forget-wrong">${this.wrong}</p>` : nothing}</div>
        <div class="history-buttons">
          <button type="button" class="button" autofocus @click=${this.#leave} aria-disabled=${deleting}>${t("forget.cancel")}</button>
          <button type="submit" class="button history-delete" aria-disabled=${deleting}>${t("forget.confirm")}</button>
        </div>
      </form>
    </dialog>`;
  }

  readonly #begin = async (): Promise<void> => {
    if (this.step !== "closed") return;
    this.wrong = "";
    this.told = "";
    this.step = "counting";
    try {
      this.#ids = await library(this.language).ids();
    } catch (error) {
      this.step = "closed";
      this.told = sentence(error, this.t);
      return;
    }
    this.count = this.#ids.length;
    this.done = 0;
    this.step = this.count > 0 ? "asking" : "closed";
    if (this.count === 0) this.told = this.t("forget.nothing");
    await this.updateComplete;
    this.querySelector("dialog")?.showModal();
  };

  readonly #leave = (): void => {
    if (this.step === "asking") void this.#close("");
  };

  async #close(told: string): Promise<void> {
    this.step = "closed";
    this.wrong = "";
    this.told = told;
    await this.updateComplete;
    this.querySelector<HTMLElement>(".forget-open")?.focus();
  }

  readonly #confirm = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (this.step !== "asking") return;
    const check = this.querySelector<HTMLInputElement>("#forget-check");
    if (!check?.checked) {
      this.wrong = this.t("forget.unchecked");
      check?.focus();
      return;
    }
    this.wrong = "";
    this.step = "deleting";
    const left = [...this.#ids];
    const failures: unknown[] = [];
    const work = async (): Promise<void> => {
      for (let id = left.pop(); id !== undefined && failures.length === 0; id = left.pop()) {
        try {
          await library(this.language).delete(id);
          this.done += 1;
        } catch (error) {
          failures.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (failures.length === 0) return this.#close(this.t("forget.done"));
    const remaining = formats(this.language).number(this.count - this.done);
    return this.#close(this.t("forget.again", { left: remaining, reason: sentence(failures[0], this.t) }));
  };
}

if (!customElements.get("m-forget-all")) customElements.define("m-forget-all", ForgetAll);

declare global {
  interface HTMLElementTagNameMap {
    "m-forget-all": ForgetAll;
  }
}
