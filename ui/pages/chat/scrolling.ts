/** Keeps the end of the page in view for those who are there; whoever reads further up stays where they are. */

const AT_THE_END = 96;

export class Scrolling {
  readonly #page = document.documentElement;
  readonly #jump: HTMLElement;
  #follows = true;
  #last = 0;

  /** `jump` leads to the end; it is shown to those who are not there. */
  constructor(jump: HTMLElement) {
    this.#jump = jump;
    addEventListener("scroll", () => this.#scrolled(), { passive: true });
    addEventListener("resize", () => this.keep(), { passive: true });
    jump.addEventListener("click", () => this.toEnd());
  }

  /** The page has grown. */
  keep(): void {
    if (this.#follows) this.#go();
  }

  toEnd(): void {
    this.#follows = true;
    this.#go();
  }

  get #rest(): number {
    return this.#page.scrollHeight - this.#page.scrollTop - this.#page.clientHeight;
  }

  #go(): void {
    this.#page.scrollTop = this.#page.scrollHeight;
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
    this.#jump.hidden = isAtEnd;
  }
}
