import type { Exported } from "../../client/conversations.ts";

const SOON = 60_000;

/** Have the browser save a file. Unlike a link to it, this tells beforehand whether there is one. */
export function save({ name, content }: Exported): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), SOON);
}
