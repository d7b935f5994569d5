/** What `text.ts` loads when it is needed. */

export { clean } from "./clean.ts";
export { finish } from "./finish.ts";
export { Growing } from "./growing.ts";
export { alike, morph } from "./morph.ts";
export { blocksOf } from "./parser.ts";
