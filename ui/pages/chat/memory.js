/** What this tab remembers of the conversation with one persona, so that a reload loses nothing. */

/**
 * @typedef {"streaming" | "done" | "stopped" | "interrupted" | "failed"} State
 * @typedef {{who: "you", text: string, context: string}} Question
 * @typedef {{who: "answer", text: string, state: State, notices: string[],
 *   endnotes?: string[], sources?: Record<string, any>[], provenance: Record<string, any> | null}} Answer
 * @typedef {{session: string, messages: (Question | Answer)[], draft: string}} Transcript
 */

const SAVE_AFTER = 500;

/** @returns {Transcript} a conversation that has not begun */
export function blank() {
  return { session: "", messages: [], draft: "" };
}

export class Memory {
  /** @param {string} persona */
  constructor(persona) {
    this.key = `menagerie.chat.v1:${persona}`;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @returns {Transcript} what was kept; an answer that was still coming is now an interrupted one */
  load() {
    /** @type {Transcript} */
    let kept;
    try {
      kept = { ...blank(), ...JSON.parse(sessionStorage.getItem(this.key) ?? "{}") };
    } catch {
      return blank();
    }
    if (!Array.isArray(kept.messages)) return blank();
    for (const message of kept.messages) {
      if (message.who === "answer" && message.state === "streaming") message.state = "interrupted";
    }
    return kept;
  }

  /** @param {Transcript} transcript */
  save(transcript) {
    clearTimeout(this.timer);
    this.timer = undefined;
    try {
      sessionStorage.setItem(this.key, JSON.stringify(transcript));
    } catch {
      // Full or forbidden: the conversation goes on, it only does not survive a reload.
    }
  }

  /**
   * Save within half a second; for what changes with each token.
   * @param {Transcript} transcript
   */
  saveSoon(transcript) {
    this.timer ??= setTimeout(() => this.save(transcript), SAVE_AFTER);
  }
}
