/**
 * Keeps the end of the page in view for those who are there; whoever reads further up stays where they are. Nothing is
 * measured that the browser would have to lay out for it: it tells when the page has grown.
 */

import { element } from "./page.ts";

const AT_THE_END = 96;

export class Scrolling {
  readonly #page = document.documentElement;
  readonly #chat = element("chat", HTMLDivElement);
  readonly #jump: HTMLElement;
  #follows = false;
  #last = 0;

  /** `jump` leads to the end; it is shown to those who are not there. */
  constructor(jump: HTMLElement) {
    this.#jump = jump;
    addEventListener("scroll", () => this.#scrolled(), { passive: true });
    addEventListener("resize", () => this.#keep(), { passive: true });
    new ResizeObserver(() => this.#keep()).observe(document.body);
    jump.addEventListener("click", () => this.toEnd());
  }

  toEnd(): void {
    this.#follows = true;
    this.#go();
  }

  #keep(): void {
    if (this.#follows) this.#go();
    else this.#look();
  }

  get #rest(): number {
    return this.#page.scrollHeight - this.#page.scrollTop - this.#page.clientHeight;
  }

  #go(): void {
    if (this.#rest > 0) this.#page.scrollTop = this.#page.scrollHeight;
    this.#last = this.#page.scrollTop;
    this.#look();
  }

  #scrolled(): void {
    const top = this.#page.scrollTop;
    if (top < this.#last - 2) this.#follows = false;
    this.#last = top;
    this.#look();
  }

  #look(): void {
    const isAtEnd = this.#rest < AT_THE_END;
    if (isAtEnd) this.#follows = true;
    const isHidden = isAtEnd || !this.#chat.classList.contains("is-begun");
    if (this.#jump.hidden !== isHidden) this.#jump.hidden = isHidden;
  }
}
