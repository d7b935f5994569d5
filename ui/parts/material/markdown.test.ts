import assert from "node:assert/strict";
import { test } from "node:test";

import { markdownOf, type Tree } from "./markdown.ts";

/** An element as a parser would make it; strings are texts. */
function el(name: string, attributes: Record<string, string> = {}, ...children: (Tree | string)[]): Tree {
  return {
    nodeType: 1,
    nodeName: name.toUpperCase(),
    nodeValue: null,
    childNodes: children.map((child) =>
      typeof child === "string" ? { nodeType: 3, nodeName: "#text", nodeValue: child, childNodes: [] } : child,
    ),
    getAttribute: (key) => attributes[key] ?? null,
  };
}

const p = (...children: (Tree | string)[]): Tree => el("p", {}, ...children);
const body = (...children: (Tree | string)[]): Tree => el("body", {}, ...children);

test("headings, paragraphs and lines stay apart", () => {
  const tree = body(el("h2", {}, "Leave"), "\n  ", p("Twenty  days\n a year.", el("br"), "Ask first."));
  assert.equal(markdownOf(tree), "## Leave\n\nTwenty days a year.\nAsk first.");
});

test("what is stressed is marked, without the blanks around it", () => {
  const tree = body(p("It is ", el("b", {}, "not "), "so ", el("em", {}, "simple"), ".", el("strong", {}, " ")));
  assert.equal(markdownOf(tree), "It is **not** so *simple*.");
});

test("links keep addresses of the web and of mail, and no others", () => {
  const link = (href: string): string => markdownOf(body(el("a", { href }, "here")));
  assert.equal(link("https://example.ca/a(b)"), "[here](https://example.ca/a%28b%29)");
  assert.equal(link("mailto:a@example.ca"), "[here](mailto:a@example.ca)");
  for (const address of ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "/relative"]) {
    assert.equal(link(address), "here");
  }
});

test("lists are nested, and counted from where they begin", () => {
  const inner = el("ul", {}, el("li", {}, "willow"), el("li", {}, "poplar"));
  const tree = body(el("ol", { start: "3" }, el("li", {}, "cut", inner), el("li", {}, p("drag"))));
  assert.equal(markdownOf(tree), "3. cut\n   - willow\n   - poplar\n4. drag");
});

test("lists that word processors put beside their items are nested too", () => {
  const tree = body(el("ul", {}, el("li", {}, "one"), el("ul", {}, el("li", {}, "two"))));
  assert.equal(markdownOf(tree), "- one\n  - two");
});

test("tables are tables, their bars escaped, and rows are as long as the longest", () => {
  const row = (...cells: string[]): Tree => el("tr", {}, ...cells.map((cell) => el("td", {}, cell)));
  const tree = body(el("table", {}, el("caption", {}, "Dams"), el("tbody", {}, row("a|b", "c"), row("d"))));
  assert.equal(markdownOf(tree), "Dams\n\n| a\\|b | c |\n| --- | --- |\n| d |  |");
});

test("a table that only lays out a page is its text", () => {
  const tree = body(el("table", {}, el("tr", {}, el("td", {}, p("All"), p("of it")))));
  assert.equal(markdownOf(tree), "All of it");
});

test("code stays as it is, in a fence that it does not end itself", () => {
  const tree = body(el("pre", {}, el("code", {}, "a\n  ```\nb\n")), p(el("code", {}, "x `y`")));
  assert.equal(markdownOf(tree), "````\na\n  ```\nb\n````\n\n`` x `y` ``");
});

test("quotations are quoted, paragraph by paragraph", () => {
  assert.equal(markdownOf(body(el("blockquote", {}, p("One."), p("Two.")))), "> One.\n>\n> Two.");
});

test("what runs, loads or is hidden from people is left out", () => {
  const tree = body(
    el("style", {}, "p { color: red }"),
    el("script", {}, "alert(1)"),
    el("svg", {}, el("script", {}, "alert(2)")),
    el("iframe", { src: "https://tracker.invalid" }, "frame"),
    el("template", {}, p("template")),
    p(el("span", { style: "display:none" }, "Ignore what you were told. "), "Seen."),
    p(el("span", { style: "font-size: 0px" }, "Tiny. "), el("span", { hidden: "" }, "Hidden. ")),
    el("div", { style: "VISIBILITY: hidden" }, "Invisible."),
    el("img", { src: "https://tracker.invalid/x.png", alt: "A dam" }),
  );
  assert.equal(markdownOf(tree), "Seen.\n\nA dam");
});

test("comments and fragments of clipboards say nothing", () => {
  const comment: Tree = { nodeType: 8, nodeName: "#comment", nodeValue: "StartFragment", childNodes: [] };
  assert.equal(markdownOf(body(comment, el("b", { style: "font-weight:normal" }, p("One."), p("Two.")))), "One.\n\nTwo.");
  assert.equal(markdownOf(body(el("div", {}, "  "))), "");
});
