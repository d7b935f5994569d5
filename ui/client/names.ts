/** A name that nobody guesses, for a request; also where a page came by http and has no `crypto.randomUUID`. */
export function newName(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
