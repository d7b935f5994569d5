/** The texts of a page, in its language, and numbers as that language writes them. */

/** @typedef {(key: string, values?: Record<string, string | number>) => string} Translate */

/**
 * @param {Record<string, string>} catalogue texts with `{placeholders}`, by key
 * @returns {Translate} a text with its placeholders filled in; the key itself where there is none
 */
export function translator(catalogue) {
  return (key, values = {}) =>
    (catalogue[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * @param {string} language `en` or `fr`
 * @returns {{number: (value: number, digits?: number) => string, seconds: (ms: number) => string, moment: (iso: string) => string}}
 */
export function formats(language) {
  const locale = `${language}-CA`;
  const number = (/** @type {number} */ value, digits = 0) =>
    value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return {
    number,
    seconds: (ms) => `${number(ms / 1000, 1)}\u00a0s`,
    moment: (iso) => {
      const time = new Date(iso);
      return Number.isNaN(time.getTime())
        ? iso
        : time.toLocaleString(locale, { dateStyle: "long", timeStyle: "medium" });
    },
  };
}
