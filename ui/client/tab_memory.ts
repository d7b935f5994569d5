/** What a tab remembers of conversations lies in its sessionStorage, under one prefix for each person and persona. */

const PREFIX = "menagerie.chat.";

/** The prefix for what this tab remembers of `persona` for the person `who`. */
export function remembered(who: string, persona: string): string {
  return `${PREFIX}v3:${who}:${persona}`;
}

/** Forget whatever other people left in this tab. */
export function forgetOthers(who: string, storage: Storage): void {
  forgetWhere(storage, (key) => !key.startsWith(`${PREFIX}v3:${who}:`));
}

/** Forget a conversation, which was deleted, wherever this tab remembers something of it. */
export function forgetInTab(conversation: string, storage: Storage): void {
  forgetWhere(storage, (_key, value) => value.includes(JSON.stringify(conversation)));
}

function forgetWhere(storage: Storage, isMeant: (key: string, value: string) => boolean): void {
  try {
    for (const key of Object.keys(storage)) {
      if (key.startsWith(PREFIX) && isMeant(key, storage.getItem(key) ?? "")) storage.removeItem(key);
    }
  } catch {
    // Forbidden: then nothing is remembered either.
  }
}
