/** The directory: filters the cards while one types; arrows lead through those that are left. */

import { part } from "../../client/page.ts";
import "./directory.css";
import { folded, matches, next } from "./filter.ts";

interface Card {
  readonly item: HTMLElement;
  readonly link: HTMLAnchorElement;
  readonly said: string;
}

const query = part("q", HTMLInputElement);
const found = part("found", HTMLElement);
const cards: readonly Card[] = [...document.querySelectorAll<HTMLElement>("#cards > li")].flatMap((item) => {
  const link = item.querySelector("a");
  return link ? [{ item, link, said: folded(`${item.textContent} ${link.pathname}`) }] : [];
});

function shown(): HTMLAnchorElement[] {
  return cards.filter((card) => !card.item.hidden).map((card) => card.link);
}

function filter(): void {
  for (const card of cards) card.item.hidden = !matches(query.value.trim(), card.said);
  const count = shown().length;
  const { all = "", some = "", none = "" } = found.dataset;
  const sentence = count === 0 ? none : count === cards.length ? all : some;
  found.textContent = sentence.replace("{found}", String(count)).replace("{all}", String(cards.length));
}

function move(event: KeyboardEvent): void {
  const links = shown();
  const at = links.findIndex((link) => link === document.activeElement);
  if (at < 0 && document.activeElement !== query) return;
  const to = next(event.key, at, links.length);
  if (to === undefined) return;
  event.preventDefault();
  (links[to] ?? query).focus();
}

// A server-side search has already been answered: then the form works as it does without scripts.
if (!query.value) {
  part("search-button", HTMLElement).hidden = true;
  part("search", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    shown()[0]?.focus();
  });
  query.addEventListener("input", filter);
}
document.addEventListener("keydown", move);
if (query.value && !location.search) filter();
