/** Citations for markdown-it: `[2]` and `[2?]` (a source that does not bear it out) become links to that source. */

import type { MarkdownIt, Token } from "markdown-it";

const CITATION = /\[(\d{1,3})(\?)?\]/g;

/** What citations are read against. */
export interface Cited {
  /** Whether there is a source of this number. */
  has(number: number): boolean;
  /** The name of the link, such as “Source 2”. */
  label(number: number, doubtful: boolean): string;
}

/** Teach `parser` citations; `env.cited` is a `Cited`, or none. */
export function citations(parser: MarkdownIt): void {
  parser.core.ruler.push("citations", (state) => {
    const cited = state.env["cited"] as Cited | undefined;
    if (!cited) return;
    for (const block of state.tokens) {
      if (block.type === "inline" && block.children && block.content.includes("[")) {
        block.children = cite(block.children, cited, state.Token);
      }
    }
  });
}

function cite(tokens: Token[], cited: Cited, Made: typeof Token): Token[] {
  const result: Token[] = [];
  let inLink = 0;
  for (const token of tokens) {
    if (token.type === "link_open") inLink += 1;
    else if (token.type === "link_close") inLink -= 1;
    if (token.type !== "text" || inLink || !token.content.includes("[")) {
      result.push(token);
      continue;
    }
    let from = 0;
    for (const found of token.content.matchAll(CITATION)) {
      const number = Number(found[1]);
      if (!cited.has(number)) continue;
      if (found.index > from) result.push(text(token.content.slice(from, found.index), Made));
      const mark = new Made("citation", "", 0);
      mark.content = found[0];
      mark.meta = { number, label: cited.label(number, found[2] === "?") };
      result.push(mark);
      from = found.index + found[0].length;
    }
    if (from < token.content.length) result.push(from ? text(token.content.slice(from), Made) : token);
  }
  return result;
}

function text(content: string, Made: typeof Token): Token {
  const made = new Made("text", "", 0);
  made.content = content;
  return made;
}
