/** What a block gets once nothing can change it any more: a copy button, marked code, formulas, regions that scroll. */

import { cleanCode, cleanFormula } from "./clean.ts";
import { languageOf } from "./languages.ts";

const LONGEST_CODE = 8_000;
const LONGEST_FORMULA = 2_000;

/** The words of a block's controls, and what they do. */
export interface BlockTexts {
  copy: string;
  copyCode: string;
  table: string;
  code: string;
  /** Put `text` on the clipboard, and tell so. */
  copied(text: string): void;
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) reach(target as HTMLElement);
});

/** Finish what stands in `block`. What has to be loaded for that comes later, and changes no size but its own. */
export function finish(block: Element, texts: BlockTexts): void {
  for (const code of within(block, ".code")) addCopy(code, texts);
  for (const region of within(block, ".scrolls")) {
    region.setAttribute("role", "group");
    region.setAttribute("aria-label", region.dataset["kind"] === "table" ? texts.table : texts.code);
    resized.observe(region);
  }
  for (const code of within(block, "pre > code[data-language]")) void mark(code);
  const formulas = within(block, ".formula");
  if (formulas.length) void typeset(formulas);
}

/** What scrolls can be reached by Tab; what does not scroll, not. */
function reach(region: HTMLElement): void {
  if (!region.isConnected) resized.unobserve(region);
  else if (region.scrollWidth > region.clientWidth + 1) region.tabIndex = 0;
  else region.removeAttribute("tabindex");
}

function addCopy(code: HTMLElement, texts: BlockTexts): void {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "code-copy";
  button.textContent = texts.copy;
  button.setAttribute("aria-label", texts.copyCode);
  button.addEventListener("click", () => texts.copied(code.querySelector("pre")?.textContent ?? ""));
  code.querySelector(".code-head")?.append(button);
}

async function mark(code: HTMLElement): Promise<void> {
  const load = languageOf(code.dataset["language"] ?? "");
  const text = code.textContent ?? "";
  if (!load || !text || text.length > LONGEST_CODE) return;
  try {
    const [{ default: highlighter }, { default: grammar }] = await Promise.all([
      import("highlight.js/lib/core"),
      load(),
    ]);
    const name = code.dataset["language"] ?? "";
    if (!highlighter.getLanguage(name)) highlighter.registerLanguage(name, grammar);
    code.replaceChildren(cleanCode(highlighter.highlight(text, { language: name, ignoreIllegals: true }).value));
  } catch {
    // It could not be loaded: the code stands there without colours.
  }
}

/** A formula that defines commands can say little and become much: it stays text. */
const DEFINES = /\\(?:[egx]?def|let|futurelet|global|long|(?:re|provide)?newcommand|renewcommand|providecommand)(?![a-z])/iu;
/** Characters of MathML that one formula may become. */
const LONGEST_TYPESET = 40_000;
/** Milliseconds that formulas may take before the page gets its turn. */
const SLICE_MS = 12;

async function typeset(formulas: HTMLElement[]): Promise<void> {
  try {
    const { default: katex } = await import("katex");
    let began = performance.now();
    for (const formula of formulas) {
      const tex = formula.dataset["tex"] ?? "";
      if (tex.length > LONGEST_FORMULA || DEFINES.test(tex)) continue;
      if (performance.now() - began > SLICE_MS) {
        await new Promise((later) => setTimeout(later));
        began = performance.now();
      }
      try {
        const html = katex.renderToString(tex, {
          output: "mathml",
          displayMode: formula.classList.contains("formula-block"),
          throwOnError: true,
          strict: "ignore",
          trust: false,
          maxExpand: 100,
          maxSize: 20,
        });
        if (html.length > LONGEST_TYPESET) continue;
        formula.replaceChildren(cleanFormula(html));
        resized.observe(formula);
      } catch {
        // No formula: its text stays.
      }
    }
  } catch {
    // It could not be loaded.
  }
}

function within(block: Element, selector: string): HTMLElement[] {
  const found = [...block.querySelectorAll<HTMLElement>(selector)];
  return block instanceof HTMLElement && block.matches(selector) ? [block, ...found] : found;
}
