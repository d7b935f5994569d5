/** Deleting one conversation: the question before, what goes wrong, where the focus is afterwards. */

import { html, type LitElement, nothing, type TemplateResult } from "lit";

import type { Summary } from "../../client/conversations.ts";
import type { Translate } from "../../client/texts.ts";
import { shownTitle } from "./item.ts";
import { sentence } from "./sentence.ts";

export interface DeletingHost extends LitElement {
  readonly t: Translate;
}

export class Deleting {
  readonly #host: DeletingHost;
  /** What the dialogue's parts are called by. */
  readonly #name: string;
  readonly #after: (one: Summary, isGone: boolean) => void;
  #one: Summary | null = null;
  #busy = false;
  #trouble = "";

  /** `after` is called when the dialogue is closed, whether the conversation was deleted or not. */
  constructor(host: DeletingHost, name: string, after: (one: Summary, isGone: boolean) => void) {
    this.#host = host;
    this.#name = name;
    this.#after = after;
  }

  /** Ask whether to delete `one`. */
  async ask(one: Summary): Promise<void> {
    this.#one = one;
    this.#trouble = "";
    await this.#shown();
    this.#dialogue?.showModal();
  }

  /** The dialogue; `work` deletes a conversation. Its first control is the harmless one. */
  view(work: (id: string) => Promise<void>): TemplateResult | typeof nothing {
    const [one, name, t] = [this.#one, this.#name, this.#host.t];
    if (!one) return nothing;
    const leave = (event: Event): void => {
      event.preventDefault();
      if (!this.#busy && this.#one === one) void this.#close(one, false);
    };
    return html`<dialog class="history-dialogue history-ask" aria-labelledby=${`${name}-ask`}
      aria-describedby=${`${name}-which ${name}-how`} @cancel=${leave} @close=${leave}
      @click=${(event: MouseEvent) => event.target === event.currentTarget && leave(event)}>
      <div class="history-dialogue-body">
        <h2 id=${`${name}-ask`}>${t("history.delete.ask")}</h2>
        <p id=${`${name}-which`} class="history-which" dir="auto">${shownTitle(one, t)}</p>
        <p id=${`${name}-how`}>${t("history.delete.how")}</p>
        <div role="alert">${this.#trouble ? html`<p class="history-fault">${this.#trouble}</p>` : nothing}</div>
        <div class="history-buttons">
          <button type="button" class="button" autofocus @click=${leave}>${t("history.cancel")}</button>
          <button type="button" class="button history-delete" aria-disabled=${this.#busy}
            @click=${() => void this.#delete(one, work)}>
            ${t(this.#busy ? "history.deleting" : "history.delete.confirm")}
          </button>
        </div>
      </div>
    </dialog>`;
  }

  async #delete(one: Summary, work: (id: string) => Promise<void>): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#trouble = "";
    this.#host.requestUpdate();
    try {
      await work(one.id);
      this.#busy = false;
      await this.#close(one, true);
    } catch (error) {
      this.#busy = false;
      this.#trouble = sentence(error, this.#host.t);
      await this.#shown();
      if (!this.#dialogue?.open) this.#dialogue?.showModal();
    }
  }

  get #dialogue(): HTMLDialogElement | null {
    return this.#host.querySelector(".history-ask");
  }

  async #close(one: Summary, isGone: boolean): Promise<void> {
    this.#one = null;
    await this.#shown();
    this.#after(one, isGone);
  }

  async #shown(): Promise<void> {
    this.#host.requestUpdate();
    await this.#host.updateComplete;
  }
}
