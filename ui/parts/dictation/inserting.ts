/** Where dictated words go in a text. Pure. */

/** `text` with `said` in the place of what is selected, set off by blanks where words would run together. */
export function inserted(
  text: string,
  start: number,
  end: number,
  said: string,
): { readonly text: string; readonly caret: number } {
  const words = said.trim();
  const before = text.slice(0, start);
  const after = text.slice(end);
  const gap = before && !/[\s(\[«“’-]$/.test(before) && !/^[.,;:!?)]/.test(words) ? " " : "";
  const behind = after && !/^[\s.,;:!?)]/.test(after) ? " " : "";
  const caret = before.length + gap.length + words.length;
  return { text: `${before}${gap}${words}${behind}${after}`, caret };
}
