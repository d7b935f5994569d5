/** What the citations of a source say together. Pure. */

import type { CitationFacts } from "../../client/events.ts";

export type Verdict = "supported" | "unsupported" | "unknown";

/** What is said of a source: the worst of its citations; null where it is not cited. */
export function verdictOf(number: number, citations: readonly CitationFacts[]): Verdict | null {
  const own = citations.filter((one) => one.number === number).map((one) => one.verdict);
  if (!own.length) return null;
  if (own.includes("unsupported")) return "unsupported";
  return own.every((verdict) => verdict === "supported") ? "supported" : "unknown";
}

/** How many citations have each verdict. */
export function tally(citations: readonly CitationFacts[]): Record<Verdict, number> {
  const counts: Record<Verdict, number> = { supported: 0, unsupported: 0, unknown: 0 };
  for (const { verdict } of citations) {
    counts[verdict === "supported" || verdict === "unsupported" ? verdict : "unknown"] += 1;
  }
  return counts;
}
