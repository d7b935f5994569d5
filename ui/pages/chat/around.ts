/** What the page shows around the messages: what the service is doing, what went wrong, which conversation this is. */

import type { Translate } from "../../client/texts.ts";
import type { Announcer } from "../../parts/announcer/announcer.ts";
import type { Turn } from "./turn.ts";
import { element } from "./page.ts";

export class Around {
  readonly #t: Translate;
  readonly #announcer: Announcer;
  readonly #alert = element("alert", HTMLParagraphElement);
  readonly #retry = element("retry", HTMLButtonElement);
  readonly #dismiss = element("dismiss", HTMLButtonElement);
  readonly #progress = element("progress", HTMLParagraphElement);
  readonly #number = element("number", HTMLSpanElement);
  readonly #title = element("title", HTMLParagraphElement);
  readonly #refocus: () => void;

  constructor(t: Translate, announcer: Announcer, deeds: { retry(): void; refocus(): void }) {
    this.#t = t;
    this.#announcer = announcer;
    this.#refocus = deeds.refocus;
    this.#retry.addEventListener("click", () => deeds.retry());
    this.#dismiss.addEventListener("click", () => this.trouble(""));
  }

  /** An error, which a screen reader interrupts for; nothing takes it back. */
  trouble(words: string, canRetry = false): void {
    const wasInside = document.activeElement === this.#retry || document.activeElement === this.#dismiss;
    this.#alert.textContent = words;
    this.#retry.hidden = !words || !canRetry;
    this.#dismiss.hidden = !words;
    if (wasInside && !words) this.#refocus();
  }

  conversation(id: string, title: string): void {
    this.#number.textContent = id || this.#t("number.none");
    this.#title.textContent = title;
    this.#title.hidden = !title;
  }

  /** What is being done. `isLost`: the connection is, `isUp`: it stands. */
  progress(turn: Turn | null, waits: boolean, { isLost, isUp }: { isLost: boolean; isUp: boolean }): void {
    const words = this.#doing(turn, waits, isLost, isUp);
    if (this.#progress.textContent === words) return;
    this.#progress.textContent = words;
    if (turn?.place) this.#announcer.tell(words);
  }

  #doing(turn: Turn | null, waits: boolean, isLost: boolean, isUp: boolean): string {
    const t = this.#t;
    if (!turn) return waits && !isUp ? t("connecting") : isLost ? t("lost") : "";
    if (!isUp) return isLost ? t(turn.id ? "lost" : "connecting") : t("connecting");
    if (turn.place) {
      const { position, seconds } = turn.place;
      return seconds ? t("queued_for", { position, seconds }) : t("queued", { position });
    }
    return t(turn.phase === "streaming" ? "generating" : "thinking");
  }
}
