/** What a person has chosen for these pages, kept in this browser only and shared by its tabs. */

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

/** What was chosen, with defaults for the rest; never throws. */
export function preferences(): Preferences {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { ...DEFAULTS, ...(typeof kept === "object" && kept !== null ? kept : {}) };
  } catch {
    return DEFAULTS;
  }
}

/** Keep a choice. Where the browser keeps nothing, it holds until the page is left. */
export function prefer(choice: Partial<Preferences>): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...preferences(), ...choice }));
  } catch {
    // Full or forbidden.
  }
  changed.dispatchEvent(new Event("change"));
}

/** Call `then` whenever a choice changes, here or in another tab. */
export function onPreferences(then: (now: Preferences) => void): void {
  changed.addEventListener("change", () => then(preferences()));
  addEventListener("storage", (event) => {
    if (event.key === KEY) then(preferences());
  });
}
