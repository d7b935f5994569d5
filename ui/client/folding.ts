/** Words as people search for them, and titles as they are shown: as the service does (core/folding.py, store/listing.py). */

const MARKS = /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+/gu;
const SAME: Readonly<Record<string, string>> = { œ: "oe", æ: "ae", "’": "'", "‘": "'", "\u02bc": "'" };
const UNSEEN =
  /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u3164\ufeff\u{e0000}-\u{e007f}]/gu;
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu;

/** Characters of a first prompt by which a conversation without a name is called. */
export const LONGEST_BEGINNING = 80;
export const LONGEST_TITLE = 200;

/** `words` for comparing: without regard to case, accents, ligatures and the shape of apostrophes. */
export function searchable(words: string): string {
  return words
    .toLowerCase()
    .replace(/[œæ’‘\u02bc]/gu, (letter) => SAME[letter] ?? letter)
    .normalize("NFKD")
    .replace(MARKS, "");
}

/** Whether all words of `query` occur in `folded`, which `searchable` has made. */
export function holds(folded: string, query: string): boolean {
  return searchable(query)
    .split(/\s+/u)
    .every((word) => folded.includes(word));
}

/** Text as a title may have it: on one line, without what is invisible and changes what stands beside it. */
export function onOneLine(words: string): string {
  return words.replace(UNSEEN, "").replace(BREAKS, " ").trim();
}

/** The first words of a prompt, whole ones where that is possible. */
export function beginning(prompt: string): string {
  const line = [...onOneLine(prompt)];
  if (line.length <= LONGEST_BEGINNING) return line.join("");
  const cut = line.slice(0, LONGEST_BEGINNING).join("");
  const whole = cut.slice(0, Math.max(0, cut.lastIndexOf(" ")));
  const kept = whole.length * 2 > LONGEST_BEGINNING ? whole : line.slice(0, LONGEST_BEGINNING - 1).join("");
  return `${kept.trimEnd()}…`;
}
