/** What a script and the server's HTML agree on: elements that are there, by their ids. */

/** The element `id`, which the page is known to have. Throws where it has not, or has it as something else. */
export function part<Kind extends HTMLElement>(id: string, kind: abstract new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`#${id} is not on this page`);
  return found;
}
