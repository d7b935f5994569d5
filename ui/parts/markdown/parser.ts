/** Markdown of a model, a hostile text, as HTML: no HTML of its own, no pictures, only links to the web and to mail. */

import MarkdownIt, { type Env, type Token } from "markdown-it";

import { citations, type Cited } from "./citations.ts";
import { formulas } from "./math.ts";

const LINK = /^(?:https?:\/\/|mailto:)[^\s]/i;
const DEEPEST = 20;
/** Marks that turn the order of the characters behind them around. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

/** Of these, those that no text of a language needs. */
const OVERRIDING = /[\u202d\u202e]/g;
const ASCII = /^[\x00-\x7f]*$/;
const PILED = /(\p{M}{8})\p{M}+/gu;

/** What is carried from piece to piece of one text. */
export interface Environment extends Env {
  cited?: Cited | undefined;
}

/** One block of a text at its top level: where it begins (its first line, from 0), and its HTML. */
export interface Block {
  readonly line: number;
  readonly html: string;
}

const parser = new MarkdownIt({ html: false, linkify: false, breaks: true, maxNesting: DEEPEST }).disable(["image"]);
parser.validateLink = (address) => LINK.test(address.trim());
formulas(parser);
citations(parser);

/** The blocks of `text`, in order. What it defines for links goes to `environment.references`. */
export function blocksOf(text: string, environment: Environment): Block[] {
  const tokens = parser.parse(text, environment);
  const blocks: Block[] = [];
  let start = 0;
  for (const [at, token] of tokens.entries()) {
    if (token.level > 0 || token.nesting === 1) continue; // a block ends where its level is 0 again
    const line = tokens[start]?.map?.[0] ?? 0;
    blocks.push({ line, html: parser.renderer.render(tokens.slice(start, at + 1), parser.options, environment) });
    start = at + 1;
  }
  return blocks;
}

const { rules } = parser.renderer;
const escaped = parser.utils.escapeHtml;
const visible = (text: string, marks = TURNING): string =>
  text.replace(marks, (mark) => `⟨U+${mark.charCodeAt(0).toString(16).toUpperCase()}⟩`);

/** Prose as it can be shown: nothing turns it around from within, and no letter carries more marks than any script puts. */
function calm(text: string): string {
  if (ASCII.test(text)) return text;
  return visible(text.replace(PILED, "$1"), OVERRIDING);
}

function code(content: string, language: string): string {
  const name = /^[\w+#.-]{1,24}/.exec(language)?.[0]?.toLowerCase() ?? "";
  return (
    `<div class="code"><div class="code-head"><span class="code-language">${escaped(name)}</span></div>` +
    `<pre class="scrolls" data-kind="code"><code data-language="${escaped(name)}">${escaped(visible(content))}</code></pre></div>\n`
  );
}

const formula = (tag: "div" | "span", token: Token): string =>
  `<${tag} class="formula${token.meta?.["display"] ? " formula-block" : ""}" data-tex="${escaped(token.content)}">` +
  `<code>${escaped(visible(token.content))}</code></${tag}>`;

const at = (tokens: Token[], index: number): Token => {
  const token = tokens[index];
  if (!token) throw new RangeError(`no token ${index}`);
  return token;
};

rules["text"] = (tokens, index) => escaped(calm(at(tokens, index).content));
rules["fence"] = (tokens, index) => code(at(tokens, index).content, at(tokens, index).info.trim());
rules["code_block"] = (tokens, index) => code(at(tokens, index).content, "");
rules["code_inline"] = (tokens, index) => `<code>${escaped(visible(at(tokens, index).content))}</code>`;
rules["formula"] = (tokens, index) => formula("span", at(tokens, index));
rules["formula_block"] = (tokens, index) => `${formula("div", at(tokens, index))}\n`;
rules["table_open"] = () => '<div class="table scrolls" data-kind="table"><table>\n';
rules["table_close"] = () => "</table></div>\n";
rules["citation"] = (tokens, index) => {
  const { content, meta } = at(tokens, index);
  return `<a class="citation" href="#source-${meta?.["number"]}" data-source="${meta?.["number"]}" title="${escaped(String(meta?.["label"]))}" aria-label="${escaped(`${content} ${String(meta?.["label"])}`)}">${escaped(content)}</a>`;
};
rules["heading_open"] = (tokens, index) => `<${below(at(tokens, index).tag)}>`;
rules["heading_close"] = (tokens, index) => `</${below(at(tokens, index).tag)}>\n`;
rules["link_open"] = (tokens, index) => {
  const token = at(tokens, index);
  const href = String(token.attrGet("href"));
  return `<a href="${escaped(href)}" rel="noopener noreferrer nofollow">`;
};
for (const cell of ["th_open", "td_open"]) {
  rules[cell] = (tokens, index) => {
    const { tag, attrs } = at(tokens, index);
    const side = /(left|right|center)/.exec(String(attrs?.[0]?.[1] ?? ""))?.[0];
    return `<${tag}${tag === "th" ? ' scope="col"' : ""}${side ? ` class="align-${side}"` : ""}>`;
  };
}

/** The headings of an answer stand below that of its message, which is an `h2`. */
function below(tag: string): string {
  return `h${Math.min(6, Number(tag[1]) + 2)}`;
}
