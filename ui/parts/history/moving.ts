/** In the list, the arrows lead from link to link, or from button to button; Home and End to the first and the last. */
export function moveAlong(list: HTMLElement, event: KeyboardEvent): void {
  const from = event.target as HTMLElement;
  const kind = ["history-link", "history-actions"].find((name) => from.classList.contains(name));
  if (!kind || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const all = [...list.querySelectorAll<HTMLElement>(`.${kind}`)];
  const at = all.indexOf(from);
  const to: Readonly<Record<string, number>> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
  const next = to[event.key];
  if (next === undefined) return;
  event.preventDefault();
  all[Math.max(0, next)]?.focus();
}
