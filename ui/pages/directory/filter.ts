/** Words against what a card says: without case and accents, all of them. */

export function folded(words: string): string {
  return words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Whether every word of `query` is in `said`, which is folded already. */
export function matches(query: string, said: string): boolean {
  return folded(query)
    .split(/\s+/)
    .every((word) => said.includes(word));
}

/** Where a key leads from place `at` among `count`: −1 is the search before them. Undefined: nowhere. */
export function next(key: string, at: number, count: number): number | undefined {
  const last = count - 1;
  if (at < 0) return key === "ArrowDown" && count > 0 ? 0 : undefined;
  switch (key) {
    case "ArrowDown":
    case "ArrowRight":
      return Math.min(at + 1, last);
    case "ArrowUp":
    case "ArrowLeft":
      return at - 1;
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return undefined;
  }
}
