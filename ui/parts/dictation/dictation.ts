/**
 * `<m-dictation>`: speak instead of writing, into the field that `for` names. It renders nothing where nobody can take
 * dictation, and never begins by itself. Tells `dictated` when words were added to the field.
 */

import { LitElement, html, nothing, type TemplateResult } from "lit";

import type { Translate } from "../../client/texts.ts";
import { browserRecognizer } from "./browser.ts";
import { inserted } from "./inserting.ts";
import type { Failure, Recognizer } from "./recognizer.ts";
import "./dictation.css";

export type { Listener, Recognizer } from "./recognizer.ts";

const AGREED = "menagerie.dictation.agreed";
/** Milliseconds after which a press is a hold. */
const HELD_AFTER = 400;
const LANGUAGES = ["en", "fr"] as const;

export class DictationElement extends LitElement {
  static override properties = {
    for: {},
    language: {},
    mode: {},
    t: { attribute: false },
    recognizer: { attribute: false },
    state: { state: true },
    spoken: { state: true },
    interim: { state: true },
    said: { state: true },
  };

  /** The id of the field. */
  declare for: string;
  /** The language of the page: that of dictation, until another is chosen. */
  declare language: string;
  /** As the deployment wants it: `browser`, or `off`. */
  declare mode: string;
  declare t: Translate;
  declare recognizer: Recognizer | null;
  declare state: "idle" | "starting" | "listening" | "ending";
  declare spoken: string;
  declare interim: string;
  declare said: string;

  #pressedAt = 0;
  #isFresh = false;
  readonly #onEscape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || this.state === "idle") return;
    event.preventDefault();
    event.stopPropagation();
    this.recognizer?.abort();
  };

  constructor() {
    super();
    this.for = "";
    this.language = "en";
    this.mode = "browser";
    this.t = (key) => key;
    this.recognizer = browserRecognizer();
    this.state = "idle";
    this.spoken = "";
    this.interim = "";
    this.said = "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("keydown", this.#onEscape, { capture: true });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.#onEscape, { capture: true });
    this.recognizer?.abort();
  }

  /** Listen no more, and forget what is not certain yet: the field is about to be sent. */
  abort(): void {
    this.recognizer?.abort();
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override render(): TemplateResult | typeof nothing {
    if (!this.recognizer || this.mode === "off") return nothing;
    const isOn = this.state !== "idle";
    const label = this.t(isOn ? "dictation.stop" : "dictation.start");
    return html`
      <div class="dictation ${isOn ? "is-on" : ""}">
        <button
          type="button"
          class="button dictation-button"
          aria-pressed=${isOn ? "true" : "false"}
          aria-label=${this.t("dictation.start")}
          title="${label} – ${this.t("dictation.hold")}"
          @pointerdown=${this.#onPress}
          @pointerup=${this.#onRelease}
          @pointercancel=${this.#onRelease}
          @click=${this.#onClick}
        >
          <svg class="material-icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d="M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM6 11v1a6 6 0 0 0 12 0v-1M12 18v3M9 21h6" />
          </svg>
        </button>
        ${isOn ? this.#panel() : nothing}
      </div>
      <p class="hidden-text" role="status" aria-live="polite">${this.said}</p>
      ${this.#consent()}
    `;
  }

  #panel(): TemplateResult {
    const chosen = this.#language();
    return html`
      <div class="dictation-panel">
        <p class="dictation-state">${this.t("dictation.listening")}</p>
        <fieldset class="dictation-languages">
          <legend class="hidden-text">${this.t("dictation.language")}</legend>
          ${LANGUAGES.map(
            (language) => html`
              <label>
                <input
                  type="radio"
                  name="dictation-language"
                  .checked=${language === chosen}
                  @change=${() => this.#speak(language)}
                />
                ${this.t(language === "en" ? "dictation.english" : "dictation.french")}
              </label>
            `,
          )}
        </fieldset>
        ${this.interim
          ? html`<p class="dictation-interim">${this.t("dictation.heard")} <span lang="${chosen}-CA">${this.interim}</span></p>`
          : nothing}
      </div>
    `;
  }

  #consent(): TemplateResult {
    return html`
      <dialog class="dictation-consent" aria-labelledby="dictation-consent-heading" aria-describedby="dictation-consent-text">
        <h2 id="dictation-consent-heading">${this.t("dictation.ask_heading")}</h2>
        <p id="dictation-consent-text">${this.t("dictation.ask")}</p>
        <p class="dictation-choice">
          <button type="button" class="button button-main" @click=${this.#onAgreed}>${this.t("dictation.agree")}</button>
          <button type="button" class="button" @click=${() => this.#dialogue?.close()}>${this.t("dictation.no")}</button>
        </p>
      </dialog>
    `;
  }

  get #dialogue(): HTMLDialogElement | null {
    return this.querySelector("dialog");
  }

  #language(): string {
    return this.spoken || this.language;
  }

  /** Held, it listens until it is let go; pressed shortly, until it is pressed again. */
  #onPress(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.#pressedAt = event.timeStamp;
    this.#isFresh = this.state === "idle" && this.#hasAgreed();
    if (this.#isFresh) {
      if (event.target instanceof Element) event.target.setPointerCapture?.(event.pointerId);
      this.#start();
    }
  }

  #onRelease(event: PointerEvent): void {
    if (this.#isFresh && event.timeStamp - this.#pressedAt > HELD_AFTER) this.#stop();
  }

  #onClick(): void {
    if (this.#isFresh) {
      this.#isFresh = false; // it was begun, and perhaps ended, by the pointer
    } else if (this.state !== "idle") {
      this.#stop();
    } else if (this.#hasAgreed()) {
      this.#start();
    } else {
      this.#dialogue?.showModal();
    }
  }

  #onAgreed(): void {
    try {
      localStorage.setItem(AGREED, "yes");
    } catch {
      // It is asked again the next time.
    }
    this.#dialogue?.close();
    this.#start();
  }

  #hasAgreed(): boolean {
    if (!this.recognizer?.goesElsewhere) return true;
    try {
      return localStorage.getItem(AGREED) === "yes";
    } catch {
      return false;
    }
  }

  #start(): void {
    this.state = "starting";
    this.interim = "";
    this.recognizer?.start(this.#language(), {
      began: () => {
        this.state = "listening";
        this.said = this.t("dictation.listening");
      },
      interim: (text) => {
        this.interim = text;
      },
      final: (text) => this.#write(text),
      ended: (failure) => this.#ended(failure),
    });
  }

  #stop(): void {
    this.state = "ending";
    this.recognizer?.stop();
  }

  #ended(failure: Failure | null): void {
    this.state = "idle";
    this.interim = "";
    this.said = failure ? this.#why(failure) : this.t("dictation.done");
  }

  #speak(language: string): void {
    this.spoken = language;
    this.#start();
  }

  #write(text: string): void {
    const field = document.getElementById(this.for);
    if (!(field instanceof HTMLTextAreaElement || field instanceof HTMLInputElement) || !text.trim()) return;
    const { selectionStart, selectionEnd, value } = field;
    const made = inserted(value, selectionStart ?? value.length, selectionEnd ?? value.length, text);
    field.value = made.text;
    field.setSelectionRange(made.caret, made.caret);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    this.dispatchEvent(new CustomEvent("dictated", { bubbles: true, detail: { text: text.trim() } }));
  }

  #why(failure: Failure): string {
    switch (failure) {
      case "denied":
        return this.t("dictation.failed.denied");
      case "language":
        return this.t("dictation.failed.language");
      case "network":
        return this.t("dictation.failed.network");
      case "silence":
        return this.t("dictation.failed.silence");
      case "other":
        return this.t("dictation.failed.other");
    }
  }
}

customElements.define("m-dictation", DictationElement);

declare global {
  interface HTMLElementTagNameMap {
    "m-dictation": DictationElement;
  }
}
