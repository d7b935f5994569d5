/** Puts the newest state of a page in place, piece by piece where it can. */

/** Replace what is marked `data-live` in `live` by the same pieces of `fresh`. */
export function replace(live: HTMLElement, fresh: Document): void {
  const pieces = [...fresh.querySelectorAll("[data-live]")];
  const known = [...live.querySelectorAll("[data-live]")];
  if (!known.every((piece) => fresh.getElementById(piece.id)) || pieces.some((piece) => !here(piece))) {
    rebuild(live, fresh);
    return;
  }
  for (const piece of pieces) {
    const shown = here(piece);
    if (shown && shown.innerHTML !== piece.innerHTML) shown.replaceChildren(...piece.childNodes);
  }
}

/** A device came or went: everything is put in place anew, and what was open or had the focus is so again. */
function rebuild(live: HTMLElement, fresh: Document): void {
  const open = [...live.querySelectorAll("details[open]")].map((details) => details.id);
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  const path = focused?.closest("[id]")?.id;
  const inSummary = focused?.tagName === "SUMMARY";
  const now = fresh.getElementById("now");
  if (now) here(now)?.replaceChildren(...now.childNodes);
  now?.remove();
  live.replaceChildren(...fresh.body.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  const again = path ? document.getElementById(path) : null;
  (inSummary ? again?.querySelector("summary") : again)?.focus({ preventScroll: true });
}

function here(piece: Element): HTMLElement | null {
  return document.getElementById(piece.id);
}
