/** The other tabs of this browser that show the same service: each tells when something happens in a conversation. */

interface Told {
  readonly conversation: string;
  readonly turn: string;
}

export class Tabs {
  readonly #channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("menagerie.conversations") : null;

  /** `heard` is called with what the others tell. */
  constructor(heard: (conversation: string, turn: string) => void) {
    this.#channel?.addEventListener("message", ({ data }: MessageEvent<Told>) => heard(data.conversation, data.turn));
  }

  tell(conversation: string, turn: string): void {
    this.#channel?.postMessage({ conversation, turn } satisfies Told);
  }
}
