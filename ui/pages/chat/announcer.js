/** What a screen reader is told while an answer comes: that it comes, that it is there, then all of it, once. */

const AGAIN_AFTER = 7000;
const TEXT_AFTER = 1000;
const FORGET_AFTER = 15000;

/** @import { Translate } from "../../client/texts.ts" */

export class Announcer {
  /**
   * @param {HTMLElement} region the one polite live region of the page
   * @param {Translate} t
   */
  constructor(region, t) {
    this.region = region;
    this.t = t;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.reminder = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.later = undefined;
  }

  /** The answer has begun: said now, and again every seven seconds. */
  begin() {
    this.say(this.t("generating"));
    this.reminder = setInterval(() => this.#write(this.t("still")), AGAIN_AFTER);
  }

  /**
   * The answer is complete.
   * @param {string} answer its plain text
   */
  ready(answer) {
    this.say(this.t("ready"));
    this.later = setTimeout(() => {
      this.#write(answer);
      this.later = setTimeout(() => this.#write(""), FORGET_AFTER);
    }, TEXT_AFTER);
  }

  /**
   * One short message, instead of whatever was to be said.
   * @param {string} message
   */
  say(message) {
    this.silence();
    this.#write(message);
  }

  /** Nothing more is said. */
  silence() {
    clearInterval(this.reminder);
    clearTimeout(this.later);
  }

  /** @param {string} message */
  #write(message) {
    this.region.textContent = message;
  }
}
