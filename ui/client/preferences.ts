/**
 * What a person has chosen for these pages, kept in this browser only and shared by its tabs. What the first paint
 * needs is also in a cookie, which the page of settings writes for browsers without scripts; there, the cookie counts.
 */

import { asCookie, viewIn } from "./view.ts";

export interface Preferences {
  /** What the polite live region tells of an answer that comes: nothing, that it comes and is there, or its text too. */
  readonly announcements: "none" | "status" | "full";
  readonly motion: "system" | "reduced";
  readonly textSize: "normal" | "large" | "larger";
  /** Whether Enter sends (and Shift+Enter begins a line), or Ctrl+Enter does. */
  readonly enterSends: boolean;
  readonly scheme: "system" | "light" | "dark";
}

export const DEFAULTS: Preferences = {
  announcements: "full",
  motion: "system",
  textSize: "normal",
  enterSends: true,
  scheme: "system",
};

const KEY = "menagerie.preferences.v1";
const changed = new EventTarget();
let held: Partial<Preferences> = {};

/** What was chosen, with defaults for the rest; never throws. */
export function preferences(): Preferences {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { ...DEFAULTS, ...held, ...(typeof kept === "object" && kept !== null ? kept : {}), ...view() };
  } catch {
    return { ...DEFAULTS, ...held, ...view() };
  }
}

/** Keep a choice. False where the browser keeps nothing: then it holds until the page is left. */
export function prefer(choice: Partial<Preferences>): boolean {
  const chosen = { ...preferences(), ...choice };
  let kept = true;
  try {
    document.cookie = asCookie(chosen);
    localStorage.setItem(KEY, JSON.stringify(chosen));
  } catch {
    held = chosen; // full or forbidden
    kept = false;
  }
  changed.dispatchEvent(new Event("change"));
  return kept;
}

function view(): Partial<Preferences> {
  return viewIn(document.cookie) ?? {};
}

/** Call `then` whenever a choice changes, here or in another tab. */
export function onPreferences(then: (now: Preferences) => void): void {
  changed.addEventListener("change", () => then(preferences()));
  addEventListener("storage", (event) => {
    if (event.key === KEY) then(preferences());
  });
}
