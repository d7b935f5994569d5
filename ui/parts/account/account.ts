/** `<m-account>`: "about this answer", the account that the service gives of it. */

import { LitElement, html, nothing, type TemplateResult } from "lit";

import type { Provenance } from "../../client/events.ts";
import type { Formats, Translate } from "../../client/texts.ts";
import { rowsOf, type Row } from "./rows.ts";
import "./account.css";

export class AccountElement extends LitElement {
  static override properties = {
    provenance: { attribute: false },
    conversation: {},
    t: { attribute: false },
    format: { attribute: false },
    said: { state: true },
  };

  declare provenance: Provenance | null;
  /** The number of the conversation. */
  declare conversation: string;
  declare t: Translate;
  declare format: Formats | null;
  declare said: string;

  constructor() {
    super();
    this.provenance = null;
    this.conversation = "";
    this.t = (key) => key;
    this.format = null;
    this.said = "";
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { provenance, format } = this;
    if (!provenance || !format) return nothing;
    return html`
      <details class="account">
        <summary>${this.t("about.heading")}</summary>
        <p class="account-generated">${this.t("about.generated")}</p>
        <dl>${rowsOf(provenance, this.conversation, this.t, format).map((row) => this.#row(row))}</dl>
        <p class="hidden-text" role="status" aria-live="polite">${this.said}</p>
      </details>
    `;
  }

  #row({ name, value, copied, language }: Row): TemplateResult {
    return html`
      <div>
        <dt>${name}</dt>
        <dd>
          ${copied
            ? html`<code class="account-long">${value}</code>
                <button type="button" class="button button-quiet" @click=${() => this.#copy(value)}>
                  ${this.t("about.copy")}<span class="hidden-text"> ${name}</span>
                </button>`
            : html`<span lang=${language || nothing}>${value}</span>`}
        </dd>
      </div>
    `;
  }

  async #copy(value: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(value);
      this.said = this.t("about.copied");
    } catch {
      this.said = this.t("about.copy_failed");
    }
  }
}

customElements.define("m-account", AccountElement);

declare global {
  interface HTMLElementTagNameMap {
    "m-account": AccountElement;
  }
}
