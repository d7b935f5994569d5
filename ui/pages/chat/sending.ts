/** Holds a message until its files have arrived, in sight; it can go without them. */

import type { Translate } from "../../client/texts.ts";
import type { MaterialBox } from "./material_box.ts";

export interface SendingParts {
  readonly form: HTMLFormElement;
  readonly material: MaterialBox;
  readonly t: Translate;
  /** Send what is written now, with what there is. */
  readonly go: () => void;
  readonly say: (words: string) => void;
  readonly refocus: () => void;
}

export class Sending {
  readonly #parts: SendingParts;
  readonly #line = document.createElement("div");
  readonly #words = document.createElement("p");
  readonly #now = document.createElement("button");
  /** Counts what was held: what became of files that nobody waits for any more is of no account. */
  #held = 0;
  #isHeld = false;

  constructor(parts: SendingParts) {
    this.#parts = parts;
    const { form, t } = parts;
    const cancel = document.createElement("button");
    this.#line.className = "sending";
    this.#line.hidden = true;
    for (const button of [this.#now, cancel]) {
      button.type = "button";
      button.className = "button button-quiet";
    }
    cancel.textContent = t("cancel");
    cancel.addEventListener("click", () => {
      this.release();
      parts.refocus();
    });
    this.#now.addEventListener("click", () => {
      this.release();
      parts.go();
    });
    this.#line.append(this.#words, this.#now, cancel);
    form.querySelector(".composer-row")?.before(this.#line);
  }

  /** Whether the message has to wait; then it goes by itself. */
  mustWait(): boolean {
    const { material, t, say } = this.#parts;
    if (!material.pending) {
      this.release();
      return false;
    }
    say(t("files_wait"));
    if (!this.#isHeld) void this.#wait();
    return true;
  }

  /** It is not to be sent any more, or was. */
  release(): void {
    this.#held += 1;
    this.#isHeld = false;
    this.#line.hidden = true;
  }

  async #wait(): Promise<void> {
    const { material, t, go, say } = this.#parts;
    const held = ++this.#held;
    const before = material.failed;
    this.#isHeld = true;
    this.#show(t("files_wait"), t("files_wait.now"));
    await material.settled();
    if (held !== this.#held) return;
    if (material.failed > before) {
      this.#isHeld = false;
      this.#show(t("files_failed"), t("files_failed.without"));
      say(t("files_failed"));
      return;
    }
    this.release();
    go();
  }

  #show(words: string, now: string): void {
    this.#words.textContent = words;
    this.#now.textContent = now;
    this.#line.hidden = false;
  }
}
