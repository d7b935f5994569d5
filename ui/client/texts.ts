/** The texts of a page, in its language, and numbers and times as that language writes them. */

import type Chat from "../../src/menagerie/locales/en/chat.json";
import type History from "../../src/menagerie/locales/en/history.json";
import type Look from "../../src/menagerie/locales/en/look.json";
import type Beside from "../../src/menagerie/locales/en/material.json";
import type Pages from "../../src/menagerie/locales/en/pages.json";

type Below<Prefix extends string, Key> = Key extends `${Prefix}${infer Rest}` ? Rest : never;

/** The keys of the texts that scripts of the chat page use, without their prefix `page.live.`. */
export type LiveKey = Below<
  "page.live.",
  keyof typeof Chat | keyof typeof History | keyof typeof Pages | keyof typeof Beside
>;

/** The keys of the texts of the settings dialogue, without their prefix `page.settings.`. */
export type SettingsKey = Below<"page.settings.", keyof typeof Look>;

export type Values = Readonly<Record<string, string | number>>;

/** A text with its placeholders filled in. */
export type Translate<Key extends string = LiveKey> = (key: Key, values?: Values) => string;

/** A translator for the texts in `catalogue`, by key; the key itself stands for a text that is missing. */
export function translator<Key extends string>(catalogue: Readonly<Record<string, string>>): Translate<Key> {
  return (key, values = {}) =>
    (catalogue[key] ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export interface Formats {
  number(value: number, digits?: number): string;
  seconds(milliseconds: number): string;
  /** A moment in ISO 8601, in words; what cannot be read stays as it is. */
  moment(iso: string): string;
}

/** How `language` (`en`, `fr`) writes numbers and times. */
export function formats(language: string): Formats {
  const locale = `${language}-CA`;
  const number = (value: number, digits = 0): string =>
    value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return {
    number,
    seconds: (milliseconds) => `${number(milliseconds / 1000, 1)}\u00a0s`,
    moment: (iso) => {
      const time = new Date(iso);
      return Number.isNaN(time.getTime())
        ? iso
        : time.toLocaleString(locale, { dateStyle: "long", timeStyle: "medium" });
    },
  };
}
