/** The parts of this page that are loaded once they are needed. */

const PARTS = {
  dictation: () => import("../../parts/dictation/dictation.ts"),
  history: () => import("../../parts/history/history.ts"),
  material: () => import("../../parts/material/material.ts"),
};

/** Load a part, so that its element is known. False where it cannot be had now. */
export async function load(part: keyof typeof PARTS): Promise<boolean> {
  try {
    await PARTS[part]();
    return true;
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
