/**
 * The text of an answer on the page. Its first word is shown in the frame after it came, what follows as often as an eye
 * takes it in, and more rarely where that is costly. What reads Markdown is loaded meanwhile; until then it is plain text.
 */

import type { Cited } from "./citations.ts";
import type { BlockTexts } from "./finish.ts";
import type { Growing } from "./growing.ts";

type Engine = typeof import("./engine.ts");

/** Milliseconds between two showings, at least … */
const INTERVAL = 70;
/** … and no more than this share of the time goes into them. */
const SHARE = 0.15;
/** Blocks that are put into the page in one piece of work. */
const MILLISECONDS = 12;

/** Whole texts that wait to be shown; the one that came last is shown first. */
const waiting: (() => void)[] = [];
let working: ReturnType<typeof setTimeout> | undefined;

let engine: Engine | undefined;
let loading: Promise<Engine | undefined> | undefined;

/** Load what reads Markdown, before it is needed. */
export function loadMarkdown(): Promise<Engine | undefined> {
  loading ??= import("./engine.ts").then(
    (loaded) => (engine = loaded),
    () => (loading = undefined),
  );
  return loading;
}

export class MarkdownText {
  readonly place: HTMLElement;
  readonly #texts: BlockTexts;
  #text = "";
  #pending = "";
  #last = false;
  #growing: Growing | undefined;
  #cited: Cited | undefined;
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #notBefore = 0;
  #frozen = 0;
  #isInLine = false;
  /** Its last blocks are being put into the page, piece by piece. */
  #isEnding = false;
  #generation = 0;
  #settled: (() => void)[] = [];
  /** Called with the blocks that were changed, once they were; not where a text only got longer. */
  onpaint: ((changed: readonly Element[]) => void) | undefined;

  /** `place` is emptied. */
  constructor(place: HTMLElement, texts: BlockTexts) {
    this.place = place;
    this.#texts = texts;
    place.replaceChildren();
  }

  /** The text as it was written. */
  get text(): string {
    return this.#text;
  }

  /** What `[2]` is read against; to be set before the text comes. */
  set cited(cited: Cited | undefined) {
    this.#cited = cited;
    if (this.#growing) this.#growing.environment.cited = cited;
  }

  append(piece: string): void {
    this.#text += piece;
    this.#pending += piece;
    this.#plan();
  }

  /** Begin again, with `text`; complete or not. */
  set(text: string, complete = false): void {
    this.#generation += 1;
    this.#isEnding = false;
    this.#growing = undefined;
    this.#frozen = 0;
    this.#text = text;
    this.#pending = text;
    this.#last = complete;
    this.#notBefore = 0;
    if (!text) this.place.replaceChildren();
    this.#plan();
  }

  /** No more comes. Done when all of it stands there. */
  settle(): Promise<void> {
    this.#last = true;
    this.#notBefore = 0;
    const settled = new Promise<void>((done) => this.#settled.push(done));
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#timer = undefined;
    this.#frame = 0;
    if (engine) this.#paint(); // what comes with the end of an answer finds all of it there
    else this.#plan();
    return settled;
  }

  #plan(): void {
    if (!engine) void loadMarkdown().then(() => engine && this.#plan());
    if (this.#frame || this.#timer !== undefined || this.#isInLine) return;
    if (engine && this.#last && !this.#growing) {
      this.#isInLine = true;
      inPieces(() => {
        this.#isInLine = false;
        this.#paint();
      });
      return;
    }
    const wait = this.#notBefore - performance.now();
    if (wait > 16) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#plan();
      }, wait);
    } else if (document.hidden) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#paint();
      }, 100); // no frames come to a page that nobody sees
    } else {
      this.#frame = requestAnimationFrame(() => this.#paint());
    }
  }

  #paint(): void {
    this.#frame = 0;
    if (this.#isEnding) return;
    const began = performance.now();
    const from = this.#frozen;
    if (!engine) this.#paintPlain(this.#text);
    else if (!this.#lengthen()) {
      this.#paintMarkdown(engine);
      this.onpaint?.([...this.place.children].slice(from));
    }
    const took = performance.now() - began;
    this.#notBefore = this.#last ? 0 : began + Math.max(INTERVAL, took / SHARE);
  }

  /** Words behind words and code behind code are added to the text that stands there. False where it takes more. */
  #lengthen(): boolean {
    if (!this.#growing || this.#last) return false;
    if (!this.#pending) return true;
    const shown = lastText(this.place.lastElementChild);
    const parent = shown?.parentElement;
    if (!shown || !parent || this.place.children.length <= this.#frozen || parent.closest(".formula, .plain")) return false;
    const isCode = parent.matches("pre > code");
    if (!this.#growing.lengthen(this.#pending, shown.data, isCode)) return false;
    shown.appendData(this.#pending);
    this.#pending = "";
    return true;
  }

  #paintMarkdown({ Growing, blocksOf, clean, morph, alike, finish }: Engine): void {
    if (!this.#growing) {
      this.#growing = new Growing(blocksOf, { cited: this.#cited });
      this.#pending = this.#text;
      this.#frozen = 0;
      for (const plain of this.place.querySelectorAll(".plain")) plain.remove();
    }
    const growing = this.#growing;
    const change = growing.take(this.#pending, this.#last);
    this.#pending = "";
    if (change.tail === null) {
      this.#paintPlain(change.plain, this.#frozen);
      if (this.#last) this.#end();
      return;
    }
    const tail = document.createElement("div");
    if (!this.#last) {
      tail.append(clean(change.frozen.join("") + change.tail));
      const stable = change.frozen.length;
      morphFrom(this.place, this.#frozen, tail, { morph, alike });
      for (const block of [...this.place.children].slice(this.#frozen, this.#frozen + stable)) {
        finish(block, this.#texts);
      }
      this.#frozen += stable;
      return;
    }
    this.#paintLast(change.frozen, { clean, morph, alike, finish });
  }

  /** The last blocks: many of them where a long answer is shown at once, so piece by piece. */
  #paintLast(
    blocks: readonly string[],
    { clean, morph, alike, finish }: Pick<Engine, "clean" | "morph" | "alike" | "finish">,
  ): void {
    const generation = this.#generation;
    this.#isEnding = true;
    let at = 0;
    const go = (): void => {
      if (generation !== this.#generation) return;
      const until = performance.now() + MILLISECONDS;
      do {
        const one = document.createElement("div");
        one.append(clean(blocks[at] ?? ""));
        const shown = this.place.children[this.#frozen];
        if (shown && one.childElementCount === 1) {
          const only = one.firstElementChild as Element;
          if (alike(shown, only)) morph(shown, only);
          else shown.replaceWith(only);
        } else {
          this.place.insertBefore(one.firstElementChild ?? document.createElement("p"), shown ?? null);
        }
        const block = this.place.children[this.#frozen];
        if (block) finish(block, this.#texts);
        this.#frozen += 1;
        at += 1;
      } while (at < blocks.length && performance.now() < until);
      if (at < blocks.length) {
        setTimeout(go);
        return;
      }
      while (this.place.children.length > this.#frozen) this.place.lastElementChild?.remove();
      this.onpaint?.([...this.place.children]);
      this.#end();
    };
    if (blocks.length) go();
    else {
      while (this.place.children.length > this.#frozen) this.place.lastElementChild?.remove();
      this.#end();
    }
  }

  #end(): void {
    const { references } = this.#growing?.environment ?? {};
    if (references && Object.keys(references).length && engine) {
      // What a link leads to may be said behind it: then all is read again, once.
      const all = engine.blocksOf(this.#text, { cited: this.#cited }).map((block) => block.html);
      if (this.#growing) this.#growing.environment.references = {};
      this.#frozen = 0;
      this.place.replaceChildren();
      this.#paintLast(all, engine);
      return;
    }
    this.#isEnding = false;
    for (const done of this.#settled.splice(0)) done();
  }

  /** As paragraphs of plain text, behind the first `from` blocks. */
  #paintPlain(text: string, from = 0): void {
    while (this.place.children.length > from) this.place.lastElementChild?.remove();
    const plain = document.createElement("p");
    plain.className = "plain";
    plain.textContent = text.trim();
    this.place.append(plain);
    this.#pending = "";
  }
}

/** Do this soon, and no more at a time than fits into one piece of work. */
function inPieces(work: () => void): void {
  waiting.push(work);
  working ??= setTimeout(function go() {
    const until = performance.now() + MILLISECONDS;
    do waiting.pop()?.();
    while (waiting.length && performance.now() < until);
    working = waiting.length ? setTimeout(go) : undefined;
  });
}

/** The text that stands last in a block, blanks between its elements aside. */
function lastText(block: Element | null): Text | null {
  let at: Node | null = block;
  while (at && !(at instanceof Text)) {
    at = at.lastChild;
    while (at instanceof Text && !at.data.trim()) at = at.previousSibling;
  }
  return at;
}

/** As `morph`, for the children from `from` on. */
function morphFrom(
  place: HTMLElement,
  from: number,
  wanted: HTMLElement,
  { morph, alike }: Pick<Engine, "morph" | "alike">,
): void {
  let at = from;
  while (wanted.firstElementChild) {
    const next = wanted.firstElementChild;
    const shown = place.children[at];
    if (!shown) place.append(next);
    else if (alike(shown, next)) {
      morph(shown, next);
      next.remove();
    } else shown.replaceWith(next);
    at += 1;
  }
  while (place.children.length > at) place.lastElementChild?.remove();
}
