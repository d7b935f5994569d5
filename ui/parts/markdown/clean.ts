/** The second lock behind the parser: what reaches the page is of these elements and attributes, whatever was written. */

import DOMPurify from "dompurify";

const TAGS = "p br hr h3 h4 h5 h6 ul ol li blockquote strong em s code pre table thead tbody tr th td a div span".split(" ");
/** Attributes whose values are no addresses. */
const PLAIN = "rel class start scope title data-source data-tex data-kind data-language".split(" ");

/** Settings that stay the same object are read once. */
const TEXT = {
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ["href", ...PLAIN],
  ADD_URI_SAFE_ATTR: PLAIN,
  ALLOW_DATA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:|#source-\d+$)/i,
  RETURN_DOM_FRAGMENT: true as const,
};
const FORMULA = { USE_PROFILES: { mathMl: true }, FORBID_ATTR: ["style"], RETURN_DOM_FRAGMENT: true as const };
const CODE = { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true as const };

/** `html` as elements, without anything that is not Markdown's. */
export function clean(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, TEXT);
}

/** A formula as KaTeX writes it, as MathML alone. */
export function cleanFormula(html: string): DocumentFragment {
  const bare = html
    .replace(/<annotation[^>]*>[^]*?<\/annotation>/g, "")
    .replace(/<\/?semantics>/g, "")
    .replace(/ style="[^"]*"/g, "");
  return DOMPurify.sanitize(bare, FORMULA);
}

/** Code with the marks of its words. */
export function cleanCode(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, CODE);
}
