/** The directory: filters the cards while one types; arrows lead through those that are left. */

/**
 * @param {string} words
 * @returns {string} for comparing: without case and accents
 */
function folded(words) {
  return words.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

const query = /** @type {HTMLInputElement} */ (document.getElementById("q"));
const found = /** @type {HTMLElement} */ (document.getElementById("found"));
const cards = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#cards > li")]);
const said = cards.map((card) => folded(`${card.textContent} ${card.querySelector("a")?.pathname ?? ""}`));

/** @returns {HTMLAnchorElement[]} the links of the cards that are shown */
function links() {
  return cards
    .filter((card) => !card.hidden)
    .map((card) => /** @type {HTMLAnchorElement} */ (card.querySelector("a")));
}

function filter() {
  const words = folded(query.value).split(/\s+/).filter(Boolean);
  cards.forEach((card, index) => {
    card.hidden = !words.every((word) => said[index]?.includes(word));
  });
  const count = links().length;
  const { all = "", some = "", none = "" } = found.dataset;
  const words_found = count === 0 ? none : count === cards.length ? all : some;
  found.textContent = words_found.replace("{found}", String(count)).replace("{all}", String(cards.length));
}

/** @param {KeyboardEvent} event */
function move(event) {
  const shown = links();
  const at = shown.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
  const inQuery = document.activeElement === query;
  const to = inQuery
    ? { ArrowDown: 0 }[event.key]
    : { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: shown.length - 1 }[
        event.key
      ];
  if (to === undefined || (!inQuery && at < 0)) return;
  event.preventDefault();
  if (to < 0) query.focus();
  else shown[Math.min(to, shown.length - 1)]?.focus();
}

// A server-side search has already been answered: then the form works as it does without scripts.
if (!query.value) {
  const form = /** @type {HTMLFormElement} */ (document.getElementById("search"));
  /** @type {HTMLElement} */ (document.getElementById("search-button")).hidden = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    links()[0]?.focus();
  });
  query.addEventListener("input", filter);
}
document.addEventListener("keydown", move);
if (query.value && !location.search) filter();
