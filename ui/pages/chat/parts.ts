/** The elements of other parts that this page holds, as far as the build has them. */

import type { Material } from "../../client/events.ts";

export interface MaterialElement extends HTMLElement {
  /** Files that are on their way, and those that did not arrive. */
  readonly pending: number;
  readonly failed: number;
  settled(): Promise<void>;
  collect(): Material;
  clear(): void;
  take(files: File[]): unknown;
  takeText(text: string, html: string): void;
}

export interface SourcesElement extends HTMLElement {
  open(number: number): unknown;
}

type Modules = Record<string, () => Promise<unknown>>;

const MODULES: Modules = import.meta.glob([
  "../../parts/account/account.ts",
  "../../parts/dictation/dictation.ts",
  "../../parts/history/history.ts",
  "../../parts/material/material.ts",
  "../../parts/sources/sources.ts",
]);

/** Whether the build has this part. */
export function has(part: string): boolean {
  return `../../parts/${part}/${part}.ts` in MODULES;
}

/** Whether the element of a part is known by now. */
export function isThere(part: string): boolean {
  return customElements.get(`m-${part}`) !== undefined;
}

/** Load a part, so that its element is known. False where it cannot be had. */
export async function load(part: string): Promise<boolean> {
  try {
    const module = MODULES[`../../parts/${part}/${part}.ts`];
    if (!module) return false;
    await module();
    return customElements.get(`m-${part}`) !== undefined;
  } catch {
    return false;
  }
}

/** What reads an answer aloud, where there is such a thing. The page shows its button then. */
export interface Reader {
  read(text: string, language: string): void;
}

let reader: Reader | undefined;

export function readAloudWith(one: Reader): void {
  reader = one;
}

export function reading(): Reader | undefined {
  return reader;
}
