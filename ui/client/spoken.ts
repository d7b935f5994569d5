/** In which of our two languages a text is, by its most frequent words: quick enough for a text that still grows. */

const WORDS = {
  en: "the of and to in is that it for you with are this be on as have can not what how your from was an or which will if do does",
  fr: "le la les de des du et en un une est que qui dans pour vous avec sont ce cette par sur au aux ne pas plus votre être ou où comment quel quelle je il elle nous se son sa c’est l’ d’",
} as const;
const KNOWN = { en: new Set(WORDS.en.split(" ")), fr: new Set(WORDS.fr.split(" ")) };
const FEWEST = 2;
const ENOUGH = 600;

/** `en` or `fr`; empty where it is too short to tell, or is neither. */
export function spokenLanguage(text: string): "en" | "fr" | "" {
  const words = text
    .slice(0, ENOUGH)
    .replace(/```[^]*?(```|$)|`[^`\n]*`|https?:\S+/g, " ")
    .toLowerCase()
    .replace(/'/g, "’")
    .match(/[a-zàâçéèêëîïôûùüœ]+’?/g);
  if (!words) return "";
  let en = 0;
  let fr = 0;
  for (const word of words) {
    if (KNOWN.en.has(word)) en += 1;
    if (KNOWN.fr.has(word) || word === "qu’" || word === "n’" || word === "j’" || word === "s’") fr += 1;
    else if (/[àâçèêëîïôûùœ]/.test(word)) fr += 0.5;
  }
  if (Math.max(en, fr) < FEWEST || en === fr) return "";
  return en > fr ? "en" : "fr";
}
