import assert from "node:assert/strict";
import { test } from "node:test";

import { Growing } from "./growing.ts";
import { blocksOf, type Environment } from "./parser.ts";

const html = (text: string, environment: Environment = {}): string =>
  blocksOf(text, environment)
    .map((block) => block.html)
    .join("");

const SAMPLES = [
  "# Title\n\nA paragraph\nof two lines.\n\n- one\n- two\n\n  more of two\n- three\n\nEnd.",
  "para\n***bold*** and\n#hashtag\n# Heading\ntext\n---\nmore\n***\n",
  "| a | b |\n|---|--:|\n| 1 | 2 |\n| 3 | 4 |\n\nafter\nA | B\n--|--\n1 | 2\n",
  "```py\nprint(1)\n\n\n# no heading\n```\ntext\n~~~\nx\n~~~\n> quote\n> more\nlazy\n\n    code\n\n    more code\n\nend",
  "Sum: $a_1 + b$ and \\(x^2\\).\n\n$$\nE = mc^2\n$$\n\n\\[\nx\n\\]\nafter\n1. one\n2. two\n\n\n3) three\n",
];

/** What lengthening a text has to beware of. */
const HARD = [
  "Words *and more* words_x_ _em_x **b**x ~~s~~ `code` then\n1. first\nsecond\n10. tenth - dash\n\n- a b\n  c d\nlazy\n",
  "[link](https://a.ca/b c) and [ref] and [x]: no\n\n[ref]: https://a.ca\nlazy d\n\n[other]:\nhttps://b.ca/d\nfine d",
  "costs $5 or $x$ and $y$z, then \\(x\\) \\[y\\] &amp; &copy no; A | B\n--|--\nc d | e e | e e e\nplain\n\nafter",
  "```js\nlet a = `b`;\n\n  // x\n```\n\nword ```\nx y\n\n> ```\n> code here\nout\n\n1. ~~~\n   in it\n   ~~~\n   and on",
  "Titre : « mot » — 5 %; l’eau!\n===\nword\n---\nwords - more\n    indented no code\n\n    real code\nback\n$$\na b\nc",
];

test("text that comes in pieces ends as the same blocks as the whole of it", () => {
  for (const text of SAMPLES) {
    for (let seed = 1; seed < 60; seed += 1) {
      const growing = new Growing(blocksOf, {});
      let shown = "";
      let at = 0;
      let random = seed;
      while (at < text.length) {
        random = (random * 48271) % 2147483647;
        const size = 1 + (random % 7);
        shown += growing.take(text.slice(at, at + size)).frozen.join("");
        at += size;
      }
      shown += growing.take("", true).frozen.join("");
      assert.equal(shown, html(text), `seed ${seed}`);
    }
  }
});

/** `shown` with `piece` behind its last text; null where it has none. */
const lengthened = (shown: string, piece: string): string | null => {
  if (/data-tex="[^"]*"><code>[^<]*<\/code><\/\w+>(?:\s*<\/[^>]+>)*\s*$/.test(shown)) return null;
  const end = /(?:\s*<\/[^>]+>)*\s*$/.exec(shown)?.index ?? 0;
  const at = /<\/code><\/pre><\/div>\s*$/.exec(shown)?.index ?? end;
  return at && shown[at - 1] !== ">" ? shown.slice(0, at) + piece + shown.slice(at) : null;
};

test("where a piece only lengthens the last text, reading all of it again would show the same", () => {
  const texts = [...SAMPLES, ...HARD];
  let lengthenedOnce = 0;
  for (const text of texts) {
    for (let seed = 1; seed < 60; seed += 1) {
      const growing = new Growing(blocksOf, {});
      let before = "";
      let random = seed;
      for (let at = 0; at < text.length; ) {
        random = (random * 48271) % 2147483647;
        const piece = text.slice(at, at + 1 + (random % 7));
        at += piece.length;
        const isCode = /<\/code><\/pre><\/div>\s*$/.test(before);
        const last = lengthened(before, "\0")?.split("\0")[0]?.replace(/^[^]*>/, "") ?? "";
        if (growing.lengthen(piece, last, isCode)) {
          lengthenedOnce += 1;
          before = lengthened(before, piece) ?? "";
          const seen = (shown: string): string => shown.trimEnd().replace(/\s+(?=<\/)/g, "");
          assert.ok(seen(html(text.slice(0, at))).endsWith(seen(before)), `${text.slice(0, at)}\n${before}`);
        } else {
          before = growing.take(piece).tail ?? "";
        }
      }
    }
  }
  assert.ok(lengthenedOnce > 1000, String(lengthenedOnce));
});

test("each look at a long answer parses its last block only", () => {
  let longest = 0;
  const growing = new Growing((text, environment) => {
    longest = Math.max(longest, text.length);
    return blocksOf(text, environment);
  }, {});
  for (let paragraph = 0; paragraph < 300; paragraph += 1) growing.take("Some words of a paragraph.\n\n");
  assert.ok(longest < 100, String(longest));
});

test("HTML, scripts and pictures of an answer are text or nothing", () => {
  for (const text of [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://example.org/x.png)",
    "<a href='javascript:alert(1)'>x</a>",
    '<iframe src="https://example.org"></iframe>',
  ]) {
    assert.doesNotMatch(html(text), /<(script|img|iframe|a href='j)/, text);
  }
});

test("only addresses of the web and of mail become links, and they vouch for nothing", () => {
  for (const address of ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "/en/chat", "file:///etc", "//x.org"]) {
    assert.doesNotMatch(html(`[x](${address}) <${address}>`), /<a /, address);
  }
  assert.match(html("[x](https://canada.ca)"), /<a href="https:\/\/canada.ca" rel="noopener noreferrer nofollow">x<\/a>/);
  assert.match(html("<https://canada.ca>"), /<a href="https:\/\/canada.ca"/);
  assert.match(html("[x](mailto:a@b.ca)"), /<a href="mailto:a@b.ca"/);
  assert.doesNotMatch(html("see https://canada.ca"), /<a /);
});

test("a price is no formula", () => {
  for (const text of [
    "$5 and $6",
    "It costs $5, or $6.",
    "between $5–$6",
    "US$5 and CA$6",
    "5 $ et 6 $",
    "5\u00a0$ et 6\u00a0$",
    "($5) or ($6)",
    "$20 plus tax ($3)",
    "$HOME and $PATH",
  ]) {
    assert.doesNotMatch(html(text), /formula/, text);
  }
});

test("a formula is one, in a line and on its own", () => {
  for (const text of ["$x$", "$5x + 2 = 7$", "$\\frac{1}{2}$", "so $a_1$, $b$.", "\\(x\\)", "$2^{10}$", "$n$-th"]) {
    assert.match(html(text), /<span class="formula"/, text);
  }
  for (const text of ["$$x$$", "$$\nx\n$$", "\\[x\\]", "\\[\nx\n\\]", "text\n$$\nx\n$$"]) {
    assert.match(html(text), /formula-block/, text);
  }
  assert.match(html("`$x$` and ```\n$x$\n```"), /<code>\$x\$<\/code>/);
});

test("a citation leads to its source, where there is one", () => {
  const cited = { has: (n: number) => n === 2, label: (n: number, doubtful: boolean) => `Source ${n}${doubtful}` };
  const shown = html("So it is [2], or [2?]; [3] and `[2]` are not. [x [2]](https://a.ca)", { cited });
  assert.equal(shown.match(/class="citation"/g)?.length, 2);
  assert.match(shown, /href="#source-2" data-source="2" title="Source 2false" aria-label="\[2\] Source 2false">\[2\]<\/a>/);
  assert.match(shown, /title="Source 2true" aria-label="\[2\?\] Source 2true">\[2\?\]<\/a>/);
  assert.doesNotMatch(html("[2]"), /<a/);
});

test("marks that turn the order of text around are visible in code", () => {
  assert.match(html("`a\u202eb`"), /⟨U\+202E⟩/);
  assert.match(html("```\n\u2066x\n```"), /⟨U\+2066⟩/);
});

test("headings of an answer stand below that of the message", () => {
  assert.match(html("# a\n\n###### b"), /<h3>a<\/h3>\s*<h6>b<\/h6>/);
});

test("the time that a hostile text takes has a bound", () => {
  const began = performance.now();
  for (const text of [
    ">".repeat(20_000) + "x",
    "- ".repeat(10_000) + "x",
    "[".repeat(20_000),
    "*a ".repeat(20_000),
    "$".repeat(20_000),
    "\\(".repeat(10_000),
    "`".repeat(20_000) + "x",
    "|a".repeat(5_000) + "\n" + "|-".repeat(5_000) + "\n" + "|b".repeat(5_000),
    "$$x\n".repeat(3_000),
    "[1]".repeat(8_000),
  ]) {
    const growing = new Growing(blocksOf, { cited: { has: () => true, label: String } });
    for (let at = 0; at < text.length; at += 5_000) growing.take(text.slice(at, at + 5_000));
    growing.take("", true);
  }
  assert.ok(performance.now() - began < 20_000, String(performance.now() - began));
});

test("prose is not turned around, and its letters carry no towers of marks", () => {
  assert.match(html("a\u202eb"), /a⟨U\+202E⟩b/);
  assert.match(html("\u05e9\u200f!"), /\u05e9\u200f!/);
  assert.equal(html(`a${"\u0301".repeat(5000)}`).match(/\u0301/g)?.length, 8);
});

test("formulas that never close are text, however many", () => {
  assert.doesNotMatch(html("\\(".repeat(40_000)), /class="formula/);
  assert.doesNotMatch(html("$$ ".repeat(2) + "a".repeat(50)), /class="formula"/);
});
