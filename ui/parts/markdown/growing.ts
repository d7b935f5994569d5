/**
 * Markdown that grows. Once a block is followed by another, nothing that comes can change it: it is rendered once, and
 * only the last block is parsed again with each piece.
 */

import type { Block, Environment } from "./parser.ts";

/** A last block that is longer is shown as plain text until it ends: what a hostile text costs has a bound. */
const LONGEST_TAIL = 24_000;
/** Of these, none has a meaning in Markdown behind a letter, a figure or another of these. */
const WORDS = /^[\p{L}\p{N} ,.:?!'’"“”«»…–—%/\u00a0\u202f-]+$/u;
const LETTER = /\p{L}/u;
/** Ends a fenced block, or may come to do so; or is shown as something else. */
const NO_CODE = /[`~\r\u202a-\u202e\u2066-\u2069]/;
const FENCE = /^(?:`{3,}|~{3,})[^\n]*\n/;
const FENCE_AGAIN = /\n {0,3}(?:```|~~~)/;

export interface Change {
  /** The HTML of blocks that will not change any more, in order, since the last look. */
  readonly frozen: readonly string[];
  /** The HTML of what comes behind them. Null: show `plain`, as plain text. */
  readonly tail: string | null;
  readonly plain: string;
}

export class Growing {
  readonly #blocksOf: (text: string, environment: Environment) => Block[];
  readonly environment: Environment;
  #tail = "";

  constructor(blocksOf: (text: string, environment: Environment) => Block[], environment: Environment) {
    this.#blocksOf = blocksOf;
    this.environment = environment;
  }

  /** Take the next piece, and tell what is to be shown differently. The `last` piece ends the text. */
  take(piece: string, last = false): Change {
    this.#tail += piece.replace(/\r/g, "");
    if (this.#tail.length > LONGEST_TAIL && !this.#tail.slice(-piece.length - 2).includes("\n\n") && !last) {
      return { frozen: [], tail: null, plain: this.#tail };
    }
    if (this.#tail.length > 4 * LONGEST_TAIL) return this.#cut(last);
    const text = this.#tail;
    const blocks = this.#blocksOf(text, this.environment);
    if (last) {
      this.#tail = "";
      return { frozen: blocks.map((block) => block.html), tail: "", plain: "" };
    }
    const keep = this.#firstOpen(blocks, text);
    const from = blocks[keep]?.line ?? 0;
    if (from) this.#tail = text.split("\n").slice(from).join("\n");
    const html = (block: Block): string => block.html;
    return { frozen: blocks.slice(0, keep).map(html), tail: blocks.slice(keep).map(html).join(""), plain: "" };
  }

  /** The first block that may still change: the last one that begins in a line that is complete. */
  #firstOpen(blocks: readonly Block[], text: string): number {
    const lines = text.split("\n").length - 1;
    for (let at = blocks.length - 1; at > 0; at -= 1) if ((blocks[at]?.line ?? 0) < lines) return at;
    return 0;
  }

  /**
   * Whether `piece` does nothing but lengthen the text that is shown last, if that ends with what `lastShown` ends with:
   * words behind words, or code in a block that is open. Then it is taken, and nothing has to be read again.
   */
  lengthen(piece: string, lastShown: string, isCode: boolean): boolean {
    const tail = this.#tail;
    if (!lastShown || lastShown.at(-1) !== tail.at(-1) || tail.length + piece.length > LONGEST_TAIL) return false;
    if (!(isCode ? isInFence(tail, piece) : isInWords(tail, piece))) return false;
    this.#tail += piece;
    return true;
  }

  /** A block of immoderate length: given away as plain text. */
  #cut(last: boolean): Change {
    const text = this.#tail;
    if (!last) return { frozen: [], tail: null, plain: text };
    this.#tail = "";
    return { frozen: [], tail: null, plain: text };
  }
}

function isInFence(tail: string, piece: string): boolean {
  return !NO_CODE.test(piece) && FENCE.test(tail) && !FENCE_AGAIN.test(tail);
}

/** A line that has a letter is decided: it stays in the block it is in, whatever words follow. */
function isInWords(tail: string, piece: string): boolean {
  if (!WORDS.test(piece) || !WORDS.test(tail.at(-1) ?? "")) return false;
  const line = tail.slice(tail.lastIndexOf("\n") + 1);
  return LETTER.test(line) && !/\||```|~~~/.test(line) && !tail.includes("]:");
}
