/** The list of what an answer rests on: each source with its number, where it stands, and its passage. */

/** @import { Translate } from "../../client/texts.ts" */

const GIVEN = new Set(["context", "content", "text"]);
const JOINER = " › ";

/**
 * Show sources in a list. Those that stand there already stay as they are, open or closed.
 * @param {HTMLElement} place the part of an answer that is for its sources
 * @param {Record<string, any>[]} sources as in `source` events, or in the provenance of a `done` event
 * @param {Translate} t
 * @param {ReturnType<typeof import("../../client/texts.ts").formats>} format
 */
export function showSources(place, sources, t, format) {
  const list = /** @type {HTMLElement} */ (place.querySelector("ul"));
  const items = /** @type {HTMLElement[]} */ ([...list.children]);
  for (const source of sources) {
    const there = items.find((item) => item.dataset["number"] === String(source["number"]));
    const next = items.find((item) => Number(item.dataset["number"]) > source["number"]);
    if (!there) list.insertBefore(sourceItem(source, t, format), next ?? null);
    else if (GIVEN.has(source["kind"])) there.replaceWith(sourceItem(source, t, format));
  }
  place.hidden = !list.children.length;
}

/**
 * @param {Record<string, any>} source
 * @param {Translate} t
 * @param {ReturnType<typeof import("../../client/texts.ts").formats>} format
 */
function sourceItem(source, t, format) {
  const item = document.createElement("li");
  item.dataset["number"] = source["number"];
  item.append(element("span", `[${source["number"]}]`, "source-number"), " ");
  if (GIVEN.has(source["kind"])) {
    const length = source["characters"]
      ? t("sources.characters", { characters: format.number(source["characters"]) })
      : "";
    item.append([t("sources.given"), length].filter(Boolean).join(", "));
    return item;
  }
  const called = element("span", [source["title"], below(source)].filter(Boolean).join(", "));
  spoken(called, source);
  item.append(called.textContent ? called : t("sources.untitled"));
  if (source["page"]) item.append(`, ${t("sources.page", { page: source["page"] })}`);
  if (source["address"]) {
    const line = element("p", "", "source-address");
    line.append(link(source["address"]));
    item.append(line);
  }
  if (source["read"]) item.append(element("p", t("sources.read", { when: format.moment(source["read"]) })));
  if (source["passage"]) item.append(passage(source, t));
  return item;
}

/**
 * The headings above a passage, less the one that is the title.
 * @param {Record<string, any>} source
 */
function below({ title = "", heading = "" }) {
  const headings = heading.split(JOINER);
  if (headings[0].toLowerCase() === title.toLowerCase()) headings.shift();
  return headings.join(JOINER);
}

/**
 * A link, where the address is one of the web; else its text.
 * @param {string} address
 */
function link(address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !["http:", "https:"].includes(url.protocol)) return address;
  const made = document.createElement("a");
  made.href = url.href;
  made.rel = "noopener noreferrer nofollow";
  made.textContent = address;
  return made;
}

/**
 * @param {Record<string, any>} source
 * @param {Translate} t
 */
function passage(source, t) {
  const details = document.createElement("details");
  const words = element("blockquote", source["passage"]);
  spoken(words, source);
  details.append(element("summary", t("sources.passage", { number: source["number"] })), words);
  return details;
}

/**
 * @param {HTMLElement} words
 * @param {Record<string, any>} source of which they are
 */
function spoken(words, source) {
  if (source["language"]) words.lang = `${source["language"]}-CA`;
}

/**
 * @param {string} tag
 * @param {string} text
 * @param {string} [name] its class
 */
function element(tag, text, name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}
