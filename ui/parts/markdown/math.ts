/**
 * Formulas for markdown-it: `$…$` and `\(…\)` in a line; `$$…$$` and `\[…\]` on their own. A dollar sign before a
 * price stays one: what it opens must look like a formula, and close as one.
 */

import type { MarkdownIt } from "markdown-it";

const LONGEST = 2_000;
const SPACE = /\s/;
const WORDS = /^[\d.,]+(?:\s|[^\d.,\\^_={}+*/<>|-]{3})/;
const BLOCKS = [
  ["$$", "$$"],
  ["\\[", "\\]"],
] as const;

/** Teach `parser` formulas: tokens `formula` (in a line) and `formula_block`, with the TeX as content. */
export function formulas(parser: MarkdownIt): void {
  parser.inline.ruler.before("escape", "formula", (state, silent) => {
    const found = inline(state.src, state.pos);
    if (!found || found.end > state.posMax) return false;
    if (!silent) {
      const token = state.push("formula", "", 0);
      token.content = found.tex;
      token.meta = { display: found.display };
    }
    state.pos = found.end;
    return true;
  });
  parser.block.ruler.before(
    "fence",
    "formula_block",
    (state, startLine, endLine, silent) => {
      const at = (line: number): string =>
        state.src.slice((state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0), state.eMarks[line]);
      if ((state.sCount[startLine] ?? 0) - state.blkIndent >= 4) return false;
      const first = at(startLine);
      const marks = BLOCKS.find(([open]) => first.startsWith(open));
      if (!marks) return false;
      const [open, close] = marks;
      const rest = first.slice(open.length);
      const closesAt = rest.indexOf(close);
      if (closesAt >= 0 && rest.slice(closesAt + close.length).trim()) return false; // goes on in the line
      if (silent) return true;
      const lines = [closesAt >= 0 ? rest.slice(0, closesAt) : rest];
      let line = startLine + 1;
      let closed = closesAt >= 0;
      for (; !closed && line < endLine; line += 1) {
        if ((state.sCount[line] ?? 0) < state.blkIndent) break;
        const text = at(line);
        const end = text.indexOf(close);
        closed = end >= 0;
        lines.push(closed ? text.slice(0, end) : text);
      }
      const token = state.push("formula_block", "", 0);
      token.content = lines.join("\n").trim();
      token.map = [startLine, line];
      token.meta = { display: true };
      state.line = line;
      return true;
    },
    { alt: ["paragraph", "blockquote", "list"] },
  );
}

function inline(text: string, at: number): { tex: string; end: number; display: boolean } | null {
  if (text.startsWith("\\(", at) || text.startsWith("\\[", at)) {
    const display = text[at + 1] === "[";
    const end = closing(text, display ? "\\]" : "\\)", at + 2);
    return formula(text, at + 2, end, 2, display);
  }
  if (text[at] !== "$") return null;
  if (text.startsWith("$$", at)) return formula(text, at + 2, closing(text, "$$", at + 2), 2, true);
  if (/[\w$]/.test(text[at - 1] ?? "") || SPACE.test(text[at + 1] ?? " ")) return null;
  for (let end = at + 1; end < text.length && end - at < LONGEST; end += 1) {
    if (text[end] === "\\") end += 1;
    else if (text[end] === "$") {
      if (SPACE.test(text[end - 1] ?? " ") || /\w/.test(text[end + 1] ?? "")) return null;
      return WORDS.test(text.slice(at + 1, end)) ? null : formula(text, at + 1, end, 1, false);
    }
  }
  return null;
}

/** Where a formula that begins at `from` closes; -1 where that is too far away to be looked for. */
function closing(text: string, mark: string, from: number): number {
  const found = text.slice(from, from + LONGEST + mark.length).indexOf(mark);
  return found < 0 ? -1 : from + found;
}

function formula(
  text: string,
  start: number,
  end: number,
  mark: number,
  display: boolean,
): { tex: string; end: number; display: boolean } | null {
  const tex = end < 0 || end - start > LONGEST ? "" : text.slice(start, end).trim();
  return tex ? { tex, end: end + mark, display } : null;
}
