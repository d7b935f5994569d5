/**
 * The page of figures: renews what is marked `data-live` every five seconds while the page is in view. Nothing in
 * these pieces can have the focus, so focus, open tables and scrolled regions stay as they are. Says nothing unless
 * asked.
 */

import { part } from "../../client/page.ts";
import { replace } from "./live.ts";
import "./plots.css";
import "./stats.css";

const EVERY_MS = 5000;

const live = part("live", HTMLElement);
const told = part("told", HTMLElement);
const lost = part("lost", HTMLElement);
const pause = part("pause", HTMLButtonElement);
const texts = JSON.parse(told.dataset["texts"] ?? "{}") as Partial<
  Record<"pause" | "paused" | "resume" | "resumed" | "updated" | "lost", string>
>;

let paused = false;
let next: ReturnType<typeof setTimeout> | undefined;
let asking: AbortController | undefined;

/** Whether the figures are new now. */
async function renew(): Promise<boolean> {
  clearTimeout(next);
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  let done = false;
  try {
    replace(live, await newest(mine.signal));
    done = true;
  } catch {
    if (mine.signal.aborted) return false;
  }
  lost.hidden = done;
  plan();
  return done;
}

async function newest(signal: AbortSignal): Promise<Document> {
  const address = new URL(location.href);
  address.searchParams.set("part", "live");
  address.hash = "";
  const response = await fetch(address, { headers: { Accept: "text/html" }, signal });
  if (!response.ok) throw new Error(String(response.status));
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

function plan(): void {
  clearTimeout(next);
  if (!paused && !document.hidden) next = setTimeout(() => void renew(), EVERY_MS);
}

function say(sentence = "", time = ""): void {
  told.textContent = sentence.replace("{time}", time);
}

pause.hidden = false;
part("renewal", HTMLElement).hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = (paused ? texts.resume : texts.pause) ?? "";
  say(paused ? texts.paused : texts.resumed);
  if (paused) {
    clearTimeout(next);
    asking?.abort();
  } else void renew();
});
part("refresh", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault();
  void renew().then((done) => {
    if (done) say(texts.updated, part("now", HTMLElement).textContent ?? "");
    else if (!lost.hidden) say(texts.lost);
  });
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(next);
  else if (!paused) void renew();
});
plan();
