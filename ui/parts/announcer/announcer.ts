/** What a screen reader is told while an answer comes: that it comes, that it is there, then all of it, once. */

import { preferences } from "../../client/preferences.ts";
import type { Translate } from "../../client/texts.ts";

const AGAIN_AFTER = 7_000;
const TEXT_AFTER = 1_000;
const FORGET_AFTER = 15_000;

export class Announcer {
  readonly #region: HTMLElement;
  readonly #t: Translate;
  #reminder: ReturnType<typeof setInterval> | undefined;
  #later: ReturnType<typeof setTimeout> | undefined;

  /** `region` is the one polite live region of the page. */
  constructor(region: HTMLElement, t: Translate) {
    this.#region = region;
    this.#t = t;
  }

  /** The answer has begun: said now, and again every seven seconds. */
  begin(): void {
    this.silence();
    if (preferences().announcements === "none") return;
    this.#write(this.#t("generating"));
    this.remind();
  }

  /** The answer still comes: said every seven seconds. */
  remind(): void {
    clearInterval(this.#reminder);
    if (preferences().announcements === "none") return;
    this.#reminder = setInterval(() => this.#write(this.#t("still")), AGAIN_AFTER);
  }

  /** The answer is complete. `answer` is its plain text, and `lang` the language that it is in, or nothing. */
  ready(answer: string, lang = ""): void {
    this.silence();
    const { announcements } = preferences();
    if (announcements === "none") return;
    this.#write(this.#t("ready"));
    if (announcements !== "full") return;
    this.#later = setTimeout(() => {
      this.#write(answer, lang);
      this.#forget();
    }, TEXT_AFTER);
  }

  /** How an answer that comes stands: its place in line, that it was stopped. */
  tell(message: string): void {
    if (preferences().announcements !== "none") this.say(message);
  }

  /** One short message that answers what a person did, instead of whatever was to be said. */
  say(message: string): void {
    clearTimeout(this.#later);
    this.#write(message);
    this.#forget();
  }

  /** Nothing more is said of the answer. */
  silence(): void {
    clearInterval(this.#reminder);
    clearTimeout(this.#later);
  }

  /** What was said does not stay for those who read the page from its beginning. */
  #forget(): void {
    this.#later = setTimeout(() => this.#write(""), FORGET_AFTER);
  }

  #write(message: string, lang = ""): void {
    this.#region.lang = lang;
    if (!lang) this.#region.removeAttribute("lang");
    this.#region.textContent = message;
  }
}
