/** What can wait is done while the browser has nothing better to do. */

const SOON = 50;

/** Do `work` then, at the latest after `patience` milliseconds; soon, where the browser (Safari) does not tell. */
export function whenIdle(work: () => void, patience = 2_000): void {
  if ("requestIdleCallback" in globalThis) requestIdleCallback(work, { timeout: patience });
  else setTimeout(work, SOON);
}
