/**
 * The page of figures: renews what is marked `data-live` every five seconds while the page is in view. Nothing in
 * these pieces can have the focus, so focus, open tables and scrolled regions stay as they are. Says nothing unless
 * asked.
 */

const EVERY = 5000;

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const live = element("live");
const told = element("told");
const lost = element("lost");
const pause = element("pause");
const refresh = /** @type {HTMLAnchorElement} */ (element("refresh"));
/** @type {Record<string, string>} */
const texts = JSON.parse(told.dataset.texts ?? "{}");

let paused = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let next;
/** @type {AbortController | undefined} */
let asking;

/** @param {Document} fresh the newest state of what changes */
function show(fresh) {
  const pieces = [...fresh.querySelectorAll("[data-live]")];
  const known = live.querySelectorAll("[data-live]");
  const same = [...known].every((piece) => fresh.getElementById(piece.id));
  if (!same || pieces.some((piece) => !document.getElementById(piece.id))) {
    rebuild(fresh);
    return;
  }
  for (const piece of pieces) {
    const shown = element(piece.id);
    if (shown.innerHTML !== piece.innerHTML) shown.replaceChildren(...piece.childNodes);
  }
}

/** A device came or went: everything is put in place anew, and what was open or had the focus is so again. */
function rebuild(/** @type {Document} */ fresh) {
  const open = [...live.querySelectorAll("details[open]")].map((details) => details.id);
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  const path = focused?.closest("[id]")?.id;
  const inSummary = focused?.tagName === "SUMMARY";
  const now = fresh.getElementById("now");
  if (now) element("now").replaceChildren(...now.childNodes);
  now?.remove();
  live.replaceChildren(...fresh.body.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  const again = path ? document.getElementById(path) : null;
  (inSummary ? again?.querySelector("summary") : again)?.focus({ preventScroll: true });
}

/** @returns {Promise<boolean>} whether the figures are new now */
async function renew() {
  clearTimeout(next);
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  const address = new URL(location.href);
  address.searchParams.set("part", "live");
  address.hash = "";
  let done = false;
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" }, signal: mine.signal });
    if (!response.ok) throw new Error(String(response.status));
    show(new DOMParser().parseFromString(await response.text(), "text/html"));
    done = true;
  } catch {
    if (mine.signal.aborted) return false;
  }
  lost.hidden = done;
  plan();
  return done;
}

function plan() {
  clearTimeout(next);
  if (!paused && !document.hidden) next = setTimeout(renew, EVERY);
}

pause.hidden = false;
element("renewal").hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = (paused ? texts.resume : texts.pause) ?? "";
  told.textContent = (paused ? texts.paused : texts.resumed) ?? "";
  if (paused) {
    clearTimeout(next);
    asking?.abort();
  } else renew();
});
refresh.addEventListener("click", async (event) => {
  event.preventDefault();
  if (await renew()) told.textContent = (texts.updated ?? "").replace("{time}", element("now").textContent ?? "");
  else if (!lost.hidden) told.textContent = texts.lost ?? "";
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(next);
  else if (!paused) renew();
});
plan();
