/** The messages of a conversation on the page. The list is one tab stop; arrows lead from message to message. */

import { Paragraphs } from "./paragraphs.js";
import { facts } from "./provenance.js";
import { showSources } from "./sources.js";

/**
 * @import { Answer, Question } from "./memory.js"
 * @import { Translate } from "../../client/texts.ts"
 */

const AT_THE_END = 120;

export class Log {
  /**
   * @param {HTMLElement} place the element with `role="log"`
   * @param {Translate} t
   * @param {ReturnType<typeof import("../../client/texts.ts").formats>} format
   */
  constructor(place, t, format) {
    this.place = place;
    this.t = t;
    this.format = format;
    this.count = 0;
    /** Called when the person wants an interrupted answer again. */
    this.onresend = () => {};
    /** Called when the person leaves the list by Escape. */
    this.onleave = () => {};
    place.addEventListener("keydown", (event) => this.#key(event));
    place.addEventListener("focusin", (event) => {
      const message = /** @type {Element} */ (event.target).closest("article");
      if (message) this.#makeCurrent(message);
    });
    this.#makeCurrent(this.#messages().at(-1));
  }

  /** Remove every message but the persona's first words. */
  clear() {
    for (const message of this.#messages()) if (message.id !== "intro") message.remove();
    this.#makeCurrent(this.#messages().at(-1));
  }

  /** @param {Question} question */
  addQuestion(question) {
    const message = this.#add("message-you");
    const text = new Paragraphs(part(message, ".message-text"));
    text.append(question.text);
    text.paint();
    if (question.context) {
      const note = part(message, ".notice");
      note.textContent = this.t("context_sent", { characters: this.format.number(question.context.length) });
      note.hidden = false;
    }
    this.scrollToEnd(true);
  }

  /**
   * @param {Answer} answer
   * @returns {AnswerView}
   */
  addAnswer(answer) {
    const view = new AnswerView(this.#add("message-answer"), answer, this);
    part(view.element, ".resend").addEventListener("click", () => this.onresend());
    return view;
  }

  /** Lead the keyboard to the newest answer. */
  focusNewest() {
    this.#messages().at(-1)?.focus();
  }

  /**
   * Keep the end in view for those who are there; whoever reads further up stays where they are.
   * @param {boolean} [always]
   */
  scrollToEnd(always = false) {
    const page = document.documentElement;
    if (always || this.atEnd) page.scrollTop = page.scrollHeight;
  }

  /** Whether the end of the page is in view. */
  get atEnd() {
    const page = document.documentElement;
    return page.scrollHeight - page.scrollTop - page.clientHeight < AT_THE_END;
  }

  /** Only the controls of the current message can be reached by Tab. */
  refresh() {
    this.#makeCurrent(this.#messages().find((message) => message.tabIndex === 0));
  }

  /** @param {string} kind the id of a template */
  #add(kind) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById(kind));
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    const message = /** @type {HTMLElement} */ (copy.firstElementChild);
    const heading = part(message, ".message-who");
    this.count += 1;
    heading.id = `message-${this.count}-who`;
    message.setAttribute("aria-labelledby", heading.id);
    this.place.append(message);
    if (!this.place.contains(document.activeElement)) this.#makeCurrent(message);
    return message;
  }

  #messages() {
    return /** @type {HTMLElement[]} */ ([...this.place.querySelectorAll("article")]);
  }

  /** @param {HTMLElement | undefined} current */
  #makeCurrent(current) {
    for (const message of this.#messages()) {
      const index = message === current ? 0 : -1;
      message.tabIndex = index;
      for (const control of message.querySelectorAll("summary, button, a")) {
        /** @type {HTMLElement} */ (control).tabIndex = index;
      }
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const messages = this.#messages();
    const at = messages.indexOf(/** @type {HTMLElement} */ (event.target));
    if (event.key === "Escape") {
      this.onleave();
    } else if (at >= 0) {
      const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: messages.length - 1 }[event.key];
      if (to === undefined) return;
      messages[Math.max(0, Math.min(messages.length - 1, to))]?.focus();
    } else {
      return;
    }
    event.preventDefault();
  }
}

/** One answer on the page. */
export class AnswerView {
  /**
   * @param {HTMLElement} element
   * @param {Answer} answer
   * @param {Log} log
   */
  constructor(element, answer, log) {
    this.element = element;
    this.answer = answer;
    this.log = log;
    this.paragraphs = new Paragraphs(part(element, ".message-text"));
    let wasAtEnd = log.atEnd;
    this.paragraphs.onpaint = () => log.scrollToEnd(wasAtEnd);
    this.beforePaint = () => {
      wasAtEnd = log.atEnd;
    };
    if (answer.text) this.paragraphs.append(answer.text);
    for (const notice of answer.notices) this.#showNotice(notice, ".notices");
    for (const notice of answer.endnotes ?? []) this.#showNotice(notice, ".endnotes");
    this.update();
  }

  /** @param {string} piece */
  append(piece) {
    if (!this.paragraphs.pending) this.beforePaint();
    this.answer.text += piece;
    this.paragraphs.append(piece);
  }

  /**
   * Before the answer, or behind what there is of it already.
   * @param {string} notice
   * @param {boolean} [isLast] whether it belongs behind the answer in any case
   */
  addNotice(notice, isLast = false) {
    if (isLast || this.answer.text) {
      (this.answer.endnotes ??= []).push(notice);
      this.#showNotice(notice, ".endnotes");
    } else {
      this.answer.notices.push(notice);
      this.#showNotice(notice, ".notices");
    }
  }

  /** @param {Record<string, any>} source what the answer may rest on */
  addSource(source) {
    (this.answer.sources ??= []).push(source);
    this.#showSources();
    this.log.refresh();
  }

  /** Begin again, with nothing. */
  reset() {
    Object.assign(this.answer, {
      text: "",
      state: "streaming",
      notices: [],
      endnotes: [],
      sources: [],
      provenance: null,
    });
    this.paragraphs = Object.assign(new Paragraphs(this.paragraphs.place), { onpaint: this.paragraphs.onpaint });
    for (const selector of [".notices", ".endnotes"]) {
      const notices = part(this.element, selector);
      notices.replaceChildren();
      notices.hidden = true;
    }
    part(this.element, ".sources ul").replaceChildren();
    this.update();
  }

  /** Show the state that the answer is in. */
  update() {
    const { t } = this.log;
    const { state, provenance } = this.answer;
    this.paragraphs.paint();
    this.element.classList.toggle("is-streaming", state === "streaming");
    const words = {
      streaming: "",
      done: "",
      stopped: t("stopped"),
      interrupted: t("interrupted"),
      failed: this.answer.text ? t("interrupted") : "",
    }[state];
    const note = part(this.element, ".notice");
    note.textContent = words;
    note.hidden = !words;
    note.classList.toggle("is-warning", state === "interrupted" || state === "failed");
    part(this.element, ".resend").hidden = state !== "interrupted" && state !== "stopped";
    this.#showSources();
    if (provenance) this.#showAccount(provenance);
    part(this.element, ".about").hidden = !provenance;
    this.log.refresh();
  }

  /** Only the newest answer can be asked for again. */
  settle() {
    part(this.element, ".resend").hidden = true;
  }

  #showSources() {
    const { provenance, sources } = this.answer;
    const known = provenance?.["sources"] ?? sources ?? [];
    showSources(part(this.element, ".sources"), known, this.log.t, this.log.format);
  }

  /**
   * @param {string} notice
   * @param {string} selector of the list that it goes to
   */
  #showNotice(notice, selector) {
    const place = part(this.element, selector);
    const item = document.createElement("li");
    item.textContent = notice;
    place.append(item);
    place.hidden = false;
  }

  /** @param {Record<string, any>} account */
  #showAccount(account) {
    const rows = facts(account, this.log.t, this.log.format).map(([name, value]) => {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      const description = document.createElement("dd");
      term.textContent = name;
      description.textContent = value;
      row.append(term, description);
      return row;
    });
    part(this.element, ".about dl").replaceChildren(...rows);
  }
}

/**
 * @param {Element} element
 * @param {string} selector
 * @returns {HTMLElement} the part that the page's template has
 */
function part(element, selector) {
  return /** @type {HTMLElement} */ (element.querySelector(selector));
}
