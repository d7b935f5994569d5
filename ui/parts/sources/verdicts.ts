/** Sources and citations as the service tells them, and what the citations of a source say together. Pure. */

export interface Source {
  readonly number: number;
  readonly kind: string;
  readonly title?: string;
  readonly address?: string;
  readonly passage?: string;
  readonly heading?: string;
  readonly page?: number;
  readonly language?: string;
  readonly read?: string;
  readonly characters?: number;
}

export type Verdict = "supported" | "unsupported" | "unknown";

export interface Citation {
  readonly number: number;
  readonly start: number;
  readonly end: number;
  readonly verdict: string;
  readonly by?: string;
}

/** What is said of a source: the worst of its citations; null where it is not cited. */
export function verdictOf(number: number, citations: readonly Citation[]): Verdict | null {
  const own = citations.filter((one) => one.number === number).map((one) => one.verdict);
  if (!own.length) return null;
  if (own.includes("unsupported")) return "unsupported";
  return own.every((verdict) => verdict === "supported") ? "supported" : "unknown";
}

/** How many citations have each verdict. */
export function tally(citations: readonly Citation[]): Record<Verdict, number> {
  const counts: Record<Verdict, number> = { supported: 0, unsupported: 0, unknown: 0 };
  for (const { verdict } of citations) {
    counts[verdict === "supported" || verdict === "unsupported" ? verdict : "unknown"] += 1;
  }
  return counts;
}
