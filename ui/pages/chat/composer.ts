/** The place where a message is written: its draft is kept, Enter sends as the person has chosen. */

import { onPreferences, preferences } from "../../client/preferences.ts";
import type { Translate } from "../../client/texts.ts";
import type { Memory } from "./memory.ts";

export interface ComposerParts {
  readonly form: HTMLFormElement;
  readonly prompt: HTMLTextAreaElement;
  readonly send: HTMLButtonElement;
  readonly stop: HTMLButtonElement;
  readonly keys: HTMLElement;
  readonly memory: Memory;
  readonly t: Translate;
}

export class Composer {
  readonly #parts: ComposerParts;
  #conversation = "";
  #isBusy = false;
  /** Called when a message is to be sent; false: it is not, and stays. */
  onsend: (text: string) => boolean = () => false;
  onstop = (): void => {};
  onnewest = (): void => {};
  onwrite = (): void => {};

  constructor(parts: ComposerParts) {
    this.#parts = parts;
    const { form, prompt, stop, keys, t } = parts;
    form.noValidate = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    prompt.addEventListener("keydown", (event) => this.#key(event));
    prompt.addEventListener("input", () => {
      this.#keep();
      this.#show();
      this.onwrite();
    });
    stop.addEventListener("click", () => this.onstop());
    const tell = (): void => {
      const words = keys.firstElementChild;
      if (words) words.textContent = t(preferences().enterSends ? "keys.enter" : "keys.ctrl_enter");
    };
    onPreferences(tell);
    tell();
  }

  get text(): string {
    return this.#parts.prompt.value;
  }

  focus(): void {
    this.#parts.prompt.focus({ preventScroll: true });
  }

  /** Write on in another conversation. */
  move(conversation: string): void {
    const { prompt, memory } = this.#parts;
    this.#conversation = conversation;
    prompt.value = memory.draft(conversation);
    this.#show();
  }

  /** The conversation has got this id: what is being written belongs to it. */
  name(conversation: string): void {
    if (conversation === this.#conversation) return;
    this.#parts.memory.keepDraft(this.#conversation, "");
    this.#conversation = conversation;
    this.#keep();
  }

  /** Put `text` before what stands there. */
  put(text: string): void {
    const { prompt } = this.#parts;
    prompt.value = [text, prompt.value].filter(Boolean).join("\n");
    this.#keep();
    this.#show();
  }

  submit(): void {
    if (this.onsend(this.text.trim())) this.take();
  }

  /** What is written, which stands there no longer. */
  take(): string {
    const text = this.text.trim();
    this.#parts.prompt.value = "";
    this.#keep();
    this.#show();
    return text;
  }

  /** Whether there is an answer to stop. */
  set busy(isBusy: boolean) {
    const { stop } = this.#parts;
    const wasOnStop = document.activeElement === stop;
    this.#isBusy = isBusy;
    this.#show();
    if (wasOnStop && !isBusy) this.focus();
  }

  #show(): void {
    const { stop, send, prompt } = this.#parts;
    stop.hidden = !this.#isBusy;
    send.hidden = this.#isBusy && !prompt.value.trim();
  }

  #keep(): void {
    this.#parts.memory.keepDraft(this.#conversation, this.#parts.prompt.value);
  }

  #key(event: KeyboardEvent): void {
    if (sends(event)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && event.altKey) {
      event.preventDefault();
      this.onnewest();
    }
  }
}

/** Whether a key in a text box sends it, as the person has chosen; not while an input method composes. */
export function sends(event: KeyboardEvent): boolean {
  const isComposing = event.isComposing || event.keyCode === 229;
  if (event.key !== "Enter" || isComposing || event.shiftKey || event.altKey) return false;
  return preferences().enterSends || event.ctrlKey || event.metaKey;
}
