/** How a page looks by the settings: put on `<html>` at once, and into the cookie from which the server does the same. */

import type { Preferences } from "./preferences.ts";

export type View = Pick<Preferences, "scheme" | "textSize" | "motion">;

const COOKIE = "view";
const A_YEAR = 365 * 24 * 3600;
const CHOICES = {
  scheme: ["system", "light", "dark"],
  textSize: ["normal", "large", "larger"],
  motion: ["system", "reduced"],
} as const satisfies { [Part in keyof View]: readonly View[Part][] };

/** What the cookie says in the header of a document's cookies; undefined where it says nothing of ours. */
export function viewIn(cookies: string): View | undefined {
  const value = cookies.match(new RegExp(`(?:^|; )${COOKIE}=([a-z.]*)`))?.[1];
  const [scheme, textSize, motion] = value?.split(".") ?? [];
  const found = {
    scheme: CHOICES.scheme.find((each) => each === scheme),
    textSize: CHOICES.textSize.find((each) => each === textSize),
    motion: CHOICES.motion.find((each) => each === motion),
  };
  return found.scheme && found.textSize && found.motion
    ? { scheme: found.scheme, textSize: found.textSize, motion: found.motion }
    : undefined;
}

/** A view as the cookie holds it, with how long and for which addresses. */
export function asCookie(view: View): string {
  const value = `${view.scheme}.${view.textSize}.${view.motion}`;
  return `${COOKIE}=${value}; Path=/; Max-Age=${A_YEAR}; SameSite=Lax`;
}

/** Put `view` on the page. */
export function applyView(view: View): void {
  const page = document.documentElement;
  mark(page, "scheme", view.scheme, "system");
  mark(page, "text", view.textSize, "normal");
  mark(page, "motion", view.motion, "system");
  document
    .querySelector('meta[name="color-scheme"]')
    ?.setAttribute("content", view.scheme === "system" ? "light dark" : view.scheme);
}

function mark(page: HTMLElement, name: string, value: string, usual: string): void {
  if (value === usual) delete page.dataset[name];
  else page.dataset[name] = value;
}
