/** The conversation in the address of a page: its fragment, `#c=<id>`, which is never sent to the service. */

/** The id of the conversation that an address names, or nothing. */
export function placeOf({ hash }: { readonly hash: string }): string {
  return new URLSearchParams(hash.replace(/^#/, "")).get("c") ?? "";
}

/** The fragment that names a conversation; empty for none. */
export function fragmentOf(id: string): string {
  return id ? `#${new URLSearchParams({ c: id })}` : "";
}

/**
 * Name a conversation (or none) in this page's address, and let the link to the other language lead to it too.
 * `enter` makes it a step of its own, so that the browser's Back leads to the place before.
 */
export function keepPlace(id: string, enter = false): void {
  const address = `${location.pathname}${location.search}${fragmentOf(id)}`;
  if (placeOf(location) !== id) {
    if (enter) history.pushState(null, "", address);
    else history.replaceState(history.state, "", address);
  }
  const language = document.getElementById("language");
  if (language instanceof HTMLAnchorElement) language.hash = fragmentOf(id);
}
