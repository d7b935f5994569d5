/**
 * HTML from a clipboard as Markdown, for a model to read. The HTML is a stranger's: it is parsed into a document that
 * runs and loads nothing, what a person would not see of it is left out, and it is never put into the page. Pure, but
 * for `fromHtml`.
 */

/** What of a DOM node is looked at. */
export interface Tree {
  readonly nodeType: number;
  readonly nodeName: string;
  readonly nodeValue: string | null;
  readonly childNodes: Iterable<Tree>;
  getAttribute?(name: string): string | null;
}

const ELEMENT = 1;
const TEXT = 3;
const LONGEST = 4_000_000;

const LEFT_OUT = new Set(
  "APPLET AREA AUDIO BASE BUTTON CANVAS COL COLGROUP DATALIST DIALOG EMBED FORM FRAME FRAMESET HEAD IFRAME INPUT LINK MAP MATH META NOEMBED NOFRAMES NOSCRIPT OBJECT OPTION PARAM SCRIPT SELECT SOURCE STYLE SVG TEMPLATE TEXTAREA TITLE TRACK VIDEO".split(
    " ",
  ),
);
const BLOCKS = new Set(
  "ADDRESS ARTICLE ASIDE BODY CAPTION CENTER DD DETAILS DIV DL DT FIELDSET FIGCAPTION FIGURE FOOTER HEADER HGROUP HTML LEGEND MAIN NAV P SEARCH SECTION SUMMARY".split(
    " ",
  ),
);
const UNSEEN = /(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d]))/i;
const TAG = /<[a-z][^>]*>/gi;
const REFUSED = /([\s/"'])(on[a-z]+|style)(?=\s*=)/gi;
const ALLOWED = /^(?:https?:|mailto:)/i;
const MARKS = new Map([
  ["STRONG", "**"],
  ["B", "**"],
  ["EM", "*"],
  ["I", "*"],
  ["DEL", "~~"],
  ["S", "~~"],
]);

/** The Markdown of a piece of HTML; empty where there is nothing to read in it. */
export function fromHtml(html: string): string {
  const parsed = new DOMParser().parseFromString(quiet(html.slice(0, LONGEST)), "text/html");
  return markdownOf(parsed.body);
}

/**
 * The HTML with the names of those attributes changed that the policy of the page refuses, in a parsed document too, and
 * complains of. Nothing rests on it but a quiet console.
 */
function quiet(html: string): string {
  return html.replace(TAG, (tag) => tag.replace(REFUSED, "$1data-$2"));
}

/** The Markdown of a tree. */
export function markdownOf(tree: Tree): string {
  return blocks(tree).join("\n\n").trim();
}

/** The blocks within a node, each without blank lines around it. */
function blocks(node: Tree): string[] {
  const found: string[] = [];
  let line = "";
  const endLine = (): void => {
    const text = tidied(line);
    if (text) found.push(text);
    line = "";
  };
  for (const child of node.childNodes) {
    if (isLeftOut(child)) continue;
    const block = blockOf(child);
    if (block === null) {
      line += inline(child);
    } else {
      endLine();
      found.push(...block.filter(Boolean));
    }
  }
  endLine();
  return found;
}

/** The blocks that an element stands for; null for one that stands within a line. */
function blockOf(node: Tree): string[] | null {
  const name = node.nodeName;
  const heading = /^H([1-6])$/.exec(name);
  if (heading) {
    const words = tidied(inlineOf(node)).replaceAll("\n", " ");
    return [words && `${"#".repeat(Number(heading[1]))} ${words}`];
  }
  switch (name) {
    case "UL":
    case "OL":
    case "MENU":
      return [list(node, name === "OL")];
    case "PRE":
      return [fenced(plain(node))];
    case "BLOCKQUOTE":
      return [prefixed(blocks(node).join("\n\n"), "> ", "> ")];
    case "TABLE":
      return [...captionsOf(node), table(node)];
    case "HR":
      return ["---"];
    default:
      if (BLOCKS.has(name)) return blocks(node);
      return holdsBlocks(node) ? blocks(node) : null;
  }
}

/** Whether an element of a line holds what is none: clipboards of office programs do that. */
function holdsBlocks(node: Tree): boolean {
  if (node.nodeType !== ELEMENT) return false;
  for (const child of node.childNodes) {
    if (!isLeftOut(child) && (blockOf(child) !== null || holdsBlocks(child))) return true;
  }
  return false;
}

function inlineOf(node: Tree): string {
  let said = "";
  for (const child of node.childNodes) if (!isLeftOut(child)) said += inline(child);
  return said;
}

function inline(node: Tree): string {
  if (node.nodeType === TEXT) return (node.nodeValue ?? "").replace(/[\s\u200b]+/g, " ");
  switch (node.nodeName) {
    case "BR":
      return "\n";
    case "IMG":
      return tidied(node.getAttribute?.("alt") ?? "");
    case "CODE":
    case "KBD":
    case "SAMP":
    case "TT":
      return coded(plain(node));
    case "A":
      return link(node);
    default: {
      const said = inlineOf(node);
      const mark = MARKS.get(node.nodeName);
      const words = said.trim();
      if (!mark || !words || words.includes("\n")) return said;
      return said.replace(words, () => `${mark}${words}${mark}`);
    }
  }
}

function link(node: Tree): string {
  const words = tidied(inlineOf(node)).replaceAll("\n", " ");
  const address = (node.getAttribute?.("href") ?? "").trim();
  if (!words || !ALLOWED.test(address) || /[\s<>]/.test(address)) return words;
  return words === address ? address : `[${words.replace(/[[\]]/g, "\\$&")}](${address.replaceAll("(", "%28").replaceAll(")", "%29")})`;
}

function list(node: Tree, isOrdered: boolean): string {
  let number = Number(node.getAttribute?.("start") ?? 1) || 1;
  const items: string[] = [];
  for (const child of node.childNodes) {
    if (child.nodeType !== ELEMENT || isLeftOut(child)) continue;
    const isNested = ["UL", "OL", "MENU"].includes(child.nodeName);
    if (isNested && items.length) {
      items.push(prefixed(list(child, child.nodeName === "OL"), "  ", "  "));
      continue;
    }
    const mark = isOrdered ? `${number}. ` : "- ";
    const text = blocks(isNested ? { ...EMPTY, childNodes: [child] } : child).join("\n");
    if (!text) continue;
    items.push(prefixed(text, mark, " ".repeat(mark.length)));
    number += 1;
  }
  return items.join("\n");
}

const EMPTY: Tree = { nodeType: ELEMENT, nodeName: "LI", nodeValue: null, childNodes: [] };

function table(node: Tree): string {
  const rows = rowsOf(node)
    .map(cellsOf)
    .filter((cells) => cells.some(Boolean));
  const width = Math.max(0, ...rows.map((cells) => cells.length));
  if (!width) return "";
  if (width === 1) return rows.map(([cell]) => cell ?? "").join("\n\n");
  const written = rows.map((cells) => `| ${Array.from({ length: width }, (_, at) => cells[at] ?? "").join(" | ")} |`);
  written.splice(1, 0, `|${" --- |".repeat(width)}`);
  return written.join("\n");
}

function captionsOf(node: Tree): string[] {
  const found: string[] = [];
  for (const child of node.childNodes) {
    if (child.nodeName === "CAPTION" && !isLeftOut(child)) found.push(...blocks(child));
  }
  return found;
}

function rowsOf(node: Tree): Tree[] {
  const rows: Tree[] = [];
  for (const child of node.childNodes) {
    if (isLeftOut(child)) continue;
    if (child.nodeName === "TR") rows.push(child);
    else if (["THEAD", "TBODY", "TFOOT"].includes(child.nodeName)) rows.push(...rowsOf(child));
  }
  return rows;
}

function cellsOf(row: Tree): string[] {
  const cells: string[] = [];
  for (const child of row.childNodes) {
    if (!["TD", "TH"].includes(child.nodeName) || isLeftOut(child)) continue;
    cells.push(blocks(child).join(" ").replace(/\s+/g, " ").replaceAll("|", "\\|"));
  }
  return cells;
}

/** All text within a node as it stands there, line breaks too. */
function plain(node: Tree): string {
  if (node.nodeType === TEXT) return node.nodeValue ?? "";
  if (node.nodeName === "BR") return "\n";
  let said = "";
  for (const child of node.childNodes) if (!isLeftOut(child)) said += plain(child);
  return said;
}

function fenced(code: string): string {
  const text = code.replace(/^\n|\s+$/g, "");
  const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return text && `${fence}\n${text}\n${fence}`;
}

function coded(code: string): string {
  const text = code.replace(/\s+/g, " ").trim();
  if (!text) return "";
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
}

function prefixed(text: string, first: string, others: string): string {
  return text && first + text.replaceAll("\n", `\n${others}`).replace(/[ \t]+$/gm, "");
}

function tidied(text: string): string {
  return text
    .split("\n")
    .map((line) => line.replace(/[ \t\u00a0]+/g, " ").trim())
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

/** What is no text, or what its author hides from people: that may be meant for machines. */
function isLeftOut(node: Tree): boolean {
  if (node.nodeType === TEXT) return false;
  if (node.nodeType !== ELEMENT || LEFT_OUT.has(node.nodeName.toUpperCase())) return true;
  if (node.getAttribute?.("hidden") != null || node.getAttribute?.("aria-hidden") === "true") return true;
  return UNSEEN.test(node.getAttribute?.("data-style") ?? node.getAttribute?.("style") ?? "");
}
