/** Where a source stands: a link that leads to its passage, its site, the headings above it. Pure. */

import type { SourceFacts } from "../../client/events.ts";

const JOINER = " › ";
/** Words at each end of a passage by which a browser finds it. */
const WORDS = 6;
const SHORT = 14;

/** An address to follow, to the passage where a browser can find it; empty for all but those of the web. */
export function addressOf(source: SourceFacts): string {
  const url = webAddress(source.address ?? "");
  if (!url) return "";
  if (url.pathname.toLowerCase().endsWith(".pdf")) {
    if (source.page && !url.hash) url.hash = `page=${source.page}`;
    return url.href;
  }
  const directive = directiveOf(source.passage ?? "");
  if (!directive || url.href.includes(":~:")) return url.href;
  return `${url.href}${url.hash ? "" : "#"}:~:${directive}`;
}

/** The host of a source of the web, without `www.`. */
export function siteOf(source: SourceFacts): string {
  return webAddress(source.address ?? "")?.hostname.replace(/^www\./, "") ?? "";
}

/** The headings above a passage, less the one that is the title. */
export function headingBelow(source: SourceFacts): string {
  const headings = (source.heading ?? "").split(JOINER).filter(Boolean);
  if (headings[0]?.toLowerCase() === (source.title ?? "").toLowerCase()) headings.shift();
  return headings.join(JOINER);
}

/** `text=first words,last words` (URL Fragment Text Directives, WICG), empty where there are too few words to find. */
export function directiveOf(passage: string): string {
  const words = passage.trim().split(/\s+/).filter(Boolean);
  if (words.length < 3) return "";
  if (words.length <= SHORT) return `text=${written(words)}`;
  return `text=${written(words.slice(0, WORDS))},${written(words.slice(-WORDS))}`;
}

function written(words: readonly string[]): string {
  return encodeURIComponent(words.join(" ")).replaceAll("-", "%2D");
}

function webAddress(address: string): URL | null {
  if (!/^https?:\/\//i.test(address)) return null;
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}
