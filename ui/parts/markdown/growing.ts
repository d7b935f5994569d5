/**
 * Markdown that grows. Once a block is followed by another, nothing that comes can change it: it is rendered once, and
 * only the last block is parsed again with each piece.
 */

import type { Block, Environment } from "./parser.ts";

/** A last block that is longer is shown as plain text until it ends: what a hostile text costs has a bound. */
const LONGEST_TAIL = 24_000;

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

  /** A block of immoderate length: given away as plain text. */
  #cut(last: boolean): Change {
    const text = this.#tail;
    if (!last) return { frozen: [], tail: null, plain: text };
    this.#tail = "";
    return { frozen: [], tail: null, plain: text };
  }
}
