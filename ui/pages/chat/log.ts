/**
 * The messages of a conversation on the page: its newest ones, earlier ones when asked for. The list is one tab stop;
 * arrows lead from message to message.
 */

import { whenIdle } from "../../client/idle.ts";
import type { Around, Shared } from "./turn_view.ts";
import { TurnView } from "./turn_view.ts";
import type { Turn } from "./turn.ts";

const AT_ONCE = 20;
/** Of these, the newest come first; the others a few at a time, while the browser has nothing better to do. */
const AT_FIRST = 6;
const A_FEW = 3;
const PATIENCE = 500;
/** The newest messages are laid out always; those before them when they come into view. */
const LAID_OUT = 4;

export class Log {
  readonly #place: HTMLElement;
  readonly #earlier: HTMLButtonElement;
  readonly #shared: Shared;
  #views = new Map<string, TurnView>();
  #path: readonly Turn[] = [];
  #shown = AT_FIRST;
  #isFilling = false;
  #count = 0;
  #around: (turn: Turn) => Around = () => ({ versions: null, isBusy: false, isNewest: false });
  /** Called when the person leaves the list by Escape. */
  onleave = (): void => {};

  /** `place` is the element with `role="log"`; `earlier` shows what came before. */
  constructor(place: HTMLElement, earlier: HTMLButtonElement, shared: Omit<Shared, "refresh">) {
    this.#place = place;
    this.#earlier = earlier;
    this.#shared = { ...shared, refresh: (article) => this.#refresh(article) };
    place.addEventListener("keydown", (event) => this.#key(event));
    place.addEventListener("focusin", ({ target }) => {
      const message = target instanceof Element ? target.closest<HTMLElement>("article") : null;
      if (message) this.#makeCurrent(message);
    });
    earlier.addEventListener("click", () => this.#showEarlier());
    this.#makeCurrent(this.#messages().at(-1));
  }

  /** Show these turns, and no others. */
  show(path: readonly Turn[], around: (turn: Turn) => Around): void {
    this.#around = around;
    if (path[0] !== this.#path[0]) {
      this.#shown = path.some(({ key }) => this.#views.has(key)) ? Math.min(this.#shown, AT_ONCE) : AT_FIRST;
    }
    this.#path = path;
    this.#lay(true);
    this.#fill();
    if (!this.#place.contains(document.activeElement)) this.#makeCurrent(this.#visible().at(-1));
  }

  view(turn: Turn): TurnView | undefined {
    return this.#views.get(turn.key);
  }

  /** All that is shown looks as its turn is now. */
  update(): void {
    for (const view of this.#views.values()) view.update(this.#around(view.turn));
  }

  /** Lead the keyboard to the newest answer. */
  focusNewest(): void {
    this.#visible().at(-1)?.focus();
  }

  /** Show a few more of the newest ones, when there is time. */
  #fill(): void {
    if (this.#isFilling || this.#shown >= AT_ONCE) return;
    this.#isFilling = true;
    whenIdle(() => {
      this.#isFilling = false;
      const isAll = this.#path.length <= this.#shown + A_FEW;
      this.#shown = isAll ? AT_ONCE : Math.min(AT_ONCE, this.#shown + A_FEW);
      this.#lay(false);
      this.#fill();
    }, PATIENCE);
  }

  /** `isAnew`: what is shown already may look different, too. */
  #lay(isAnew: boolean): void {
    const from = Math.max(0, this.#path.length - this.#shown);
    const wanted = this.#path.slice(from);
    const keys = new Set(wanted.map(({ key }) => key));
    for (const [key, view] of this.#views) {
      const turn = wanted.find((one) => one.key === key);
      if (turn === view.turn) continue;
      view.question.remove();
      view.answer.remove();
      this.#views.delete(key);
    }
    let before: Element | null = this.#place.querySelector("#intro") ?? this.#earlier;
    if (from > 0) before = this.#earlier;
    const intro = this.#place.querySelector<HTMLElement>("#intro");
    if (intro) intro.hidden = from > 0;
    this.#earlier.hidden = from === 0 || this.#shown < AT_ONCE;
    for (const [index, turn] of wanted.entries()) {
      let view = this.#views.get(turn.key);
      const isNew = !view;
      if (!view) {
        this.#count += 1;
        view = new TurnView(turn, this.#count, this.#shared);
        this.#views.set(turn.key, view);
      }
      if (isNew || isAnew) view.update(this.#around(turn));
      const isPast = index < wanted.length - LAID_OUT;
      for (const message of [view.question, view.answer]) {
        message.classList.toggle("is-past", isPast);
        if (before?.nextElementSibling !== message) before?.after(message);
        before = message;
      }
    }
    if (keys.size !== this.#views.size) throw new Error("a turn is shown twice");
  }

  #showEarlier(): void {
    const first = this.#visible().find((message) => message.id !== "intro");
    const top = first?.getBoundingClientRect().top ?? 0;
    this.#shown += AT_ONCE;
    this.#lay(false);
    if (first) {
      scrollBy(0, first.getBoundingClientRect().top - top);
      const messages = this.#visible();
      messages[Math.max(0, messages.indexOf(first) - 1)]?.focus({ preventScroll: true });
    }
  }

  #messages(): HTMLElement[] {
    return [...this.#place.querySelectorAll<HTMLElement>("article")];
  }

  #visible(): HTMLElement[] {
    return this.#messages().filter((message) => !message.hidden);
  }

  /** Only the current message, and the controls of it, can be reached by Tab. */
  #makeCurrent(current: HTMLElement | undefined): void {
    for (const message of this.#messages()) {
      const is = message === current;
      if (is === (message.tabIndex === 0) && message.hasAttribute("tabindex")) continue;
      message.tabIndex = is ? 0 : -1;
      this.#refresh(message);
    }
  }

  #refresh(message: HTMLElement): void {
    const index = message.tabIndex === 0 ? 0 : -1;
    for (const control of message.querySelectorAll<HTMLElement>("summary, button, a, textarea")) {
      if (control.tabIndex !== index) control.tabIndex = index;
    }
  }

  #key(event: KeyboardEvent): void {
    const messages = this.#visible();
    const at = event.target instanceof HTMLElement ? messages.indexOf(event.target) : -1;
    if (event.key === "Escape") {
      this.onleave();
    } else if (event.key === "ArrowUp" && event.altKey) {
      this.focusNewest();
    } else if (at >= 0) {
      const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: messages.length - 1 }[event.key];
      if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      messages[Math.max(0, Math.min(messages.length - 1, to))]?.focus();
    } else {
      return;
    }
    event.preventDefault();
  }
}
