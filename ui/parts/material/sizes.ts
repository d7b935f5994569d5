/** Sizes and shares as a language writes them. Pure. */

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
const STEP = 1024;

/** `2.5 MB`, `2,5 Mo`. */
export function size(bytes: number, language: string): string {
  const at = bytes < STEP ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log(bytes) / Math.log(STEP)));
  const value = bytes / STEP ** at;
  return value.toLocaleString(`${language}-CA`, {
    style: "unit",
    unit: UNITS[at] ?? "byte",
    unitDisplay: at === 0 ? "long" : "short",
    maximumFractionDigits: value < 10 && at > 0 ? 1 : 0,
  });
}

/** `40%`, `40 %`. */
export function percent(part: number, language: string): string {
  return part.toLocaleString(`${language}-CA`, { style: "percent", maximumFractionDigits: 0 });
}
