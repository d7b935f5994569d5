/** Conversations by the day on which they were last active, as a calendar on the wall has it. */

import type { Summary } from "../../client/conversations.ts";

export type Period = "today" | "yesterday" | "week" | "month";

/** Conversations of one period. `at` is a moment in it. */
export interface Group {
  readonly key: string;
  readonly period: Period;
  readonly at: Date;
  readonly conversations: readonly Summary[];
}

const A_DAY = 24 * 3600 * 1000;
const A_WEEK = 7;

/** `conversations` as they come, put together where a period is the same; `zone` is that of the browser unless given. */
export function grouped(conversations: readonly Summary[], now: Date, zone?: string): Group[] {
  const groups = new Map<string, { period: Period; at: Date; conversations: Summary[] }>();
  const calendar = calendarOf(zone);
  for (const one of conversations) {
    const at = moment(one.last_at);
    const period = periodOf(at, now, calendar);
    const key = period === "month" ? monthOf(at, calendar) : period;
    const group = groups.get(key);
    if (group) group.conversations.push(one);
    else groups.set(key, { period, at, conversations: [one] });
  }
  return [...groups].map(([key, group]) => ({ key, ...group }));
}

/** A month in words: `October 2026`, `octobre 2026`. */
export function monthInWords(at: Date, language: string, zone?: string): string {
  return format(language, { month: "long", year: "numeric" }, zone).format(at);
}

/** When something of a period was, as short as it can be said there: the time, the weekday with it, or the day. */
export function timeInWords(at: Date, period: Period, language: string, zone?: string): string {
  if (period === "month") return format(language, { month: "long", day: "numeric" }, zone).format(at);
  const time = format(language, { hour: "numeric", minute: "2-digit" }, zone).format(at);
  if (period !== "week") return time;
  return `${format(language, { weekday: "long" }, zone).format(at)}, ${time}`;
}

/** The moment that ISO 8601 names; what cannot be read is long ago. */
export function moment(iso: string): Date {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? new Date(0) : at;
}

function periodOf(at: Date, now: Date, calendar: Intl.DateTimeFormat): Period {
  const days = dayOf(now, calendar) - dayOf(at, calendar);
  if (days <= 0) return "today"; // or later, by a clock that is ahead
  if (days === 1) return "yesterday";
  return days < A_WEEK ? "week" : "month";
}

/** The number of a day; days that have 23 or 25 hours are counted like all others. */
function dayOf(at: Date, calendar: Intl.DateTimeFormat): number {
  const { year, month, day } = partsOf(at, calendar);
  return Date.UTC(year, month - 1, day) / A_DAY;
}

function monthOf(at: Date, calendar: Intl.DateTimeFormat): string {
  const { year, month } = partsOf(at, calendar);
  return `${year}-${month}`;
}

function partsOf(at: Date, calendar: Intl.DateTimeFormat): { year: number; month: number; day: number } {
  const parts = calendar.formatToParts(at);
  const number = (type: string): number => Number(parts.find((part) => part.type === type)?.value ?? 0);
  return { year: number("year"), month: number("month"), day: number("day") };
}

function calendarOf(zone?: string): Intl.DateTimeFormat {
  return format("en", { calendar: "gregory", numberingSystem: "latn", year: "numeric", month: "numeric", day: "numeric" }, zone);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** A format, made once: making one takes longer than all that it is used for. */
function format(language: string, options: Intl.DateTimeFormatOptions, zone?: string): Intl.DateTimeFormat {
  const key = JSON.stringify([language, options, zone]);
  let one = formats.get(key);
  if (!one) {
    one = new Intl.DateTimeFormat(`${language}-CA`, { ...options, ...(zone ? { timeZone: zone } : {}) });
    formats.set(key, one);
  }
  return one;
}
