/**
 * The connection to a persona: one websocket that speaks `menagerie.events.v1`. One that is lost, or is dead without
 * having said so, is made again; meanwhile what is followed waits, and goes on where it was.
 */

import type { ServerEvent, TurnEvent } from "./events.ts";
import type { Following } from "./following.ts";

const PROTOCOL = "menagerie.events.v1";
const FIRST_WAIT = 500;
const LONGEST_WAIT = 5_000;
const NORMAL = 1000;
/** While something is under way: how long nothing may come until the connection is asked whether it lives … */
const QUIET = 20_000;
/** … and how long it may take to say so. */
const PATIENCE = 4_000;

export interface Listener {
  event(event: TurnEvent): void;
  /** A connection stands. */
  open(): void;
  /** A connection was lost, or could not be made; `first` tells whether one stood before. */
  lost(first: boolean): void;
  /** Nobody knows the turn that is followed, and it cannot be asked for again. */
  unknown(): void;
}

export class PersonaSocket {
  readonly #address: URL;
  readonly #listener: Listener;
  #socket: WebSocket | null = null;
  #following: Following | null = null;
  /** What this connection was told to follow: a frame more would have the service tell it twice. */
  #told: Following | null = null;
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  /** When something came last. */
  #heard = 0;
  /** Whether `#watch` looks into a silence, and not into an answer that is expected. */
  #listens = false;

  /** `path` is such as `/gpt-socket/beaver?lang=en`. */
  constructor(path: string, listener: Listener) {
    this.#address = new URL(path, location.href);
    this.#address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.#address.hash = "";
    this.#listener = listener;
    for (const name of ["online", "offline", "pageshow"]) addEventListener(name, () => this.#look());
    document.addEventListener("visibilitychange", () => this.#look());
  }

  /** Whether a connection stands, as far as is known. */
  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Whether the last attempts to connect have failed. */
  get isLost(): boolean {
    return this.#failures > 0;
  }

  /** Connect, unless that is so already. */
  open(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#socket) return;
    const socket = new WebSocket(this.#address, PROTOCOL);
    this.#socket = socket;
    this.#told = null;
    socket.addEventListener("open", () => {
      if (this.#socket !== socket) return;
      this.#failures = 0;
      this.#listener.open();
      this.#follow();
    });
    socket.addEventListener("message", (message: MessageEvent<string>) => {
      if (this.#socket === socket) this.#receive(JSON.parse(message.data) as ServerEvent);
    });
    socket.addEventListener("close", (close) => {
      if (this.#socket === socket) this.#closed(close.code);
    });
    this.#expect(PATIENCE * 2); // for the handshake
  }

  /** Follow a turn, now or as soon as there is a connection. Whatever was followed before goes on without us. */
  follow(following: Following): void {
    const wasBusy = this.#following !== null && !this.#following.over;
    this.#following = following;
    if (wasBusy) this.#replace();
    else if (this.isOpen) this.#follow();
    else this.open();
  }

  /** Follow nothing any more; a turn that runs goes on for a while. */
  leave(): void {
    const wasBusy = this.#following !== null && !this.#following.over;
    this.#following = null;
    if (wasBusy) this.#replace();
  }

  /** Ask for the end of the turn that is followed. False where there is no connection to ask over. */
  cancel(): boolean {
    return this.#send('{"cancel":true}');
  }

  #follow(): void {
    this.#unwatch();
    const following = this.#following;
    if (!following || following.over || following === this.#told) return;
    this.#told = following;
    this.#send(following.frame());
    this.#listen();
  }

  #receive(event: ServerEvent): void {
    const following = this.#following;
    this.#listen();
    if (event.type === "pong" || !following) return;
    switch (following.take(event)) {
      case "new":
        if (following.over) this.#following = null;
        this.#listener.event(event);
        break;
      case "gap":
        this.#replace();
        break;
      case "unknown":
        if (following.askAgain()) {
          this.#send(following.frame());
        } else {
          this.#following = null;
          this.#listener.unknown();
        }
        break;
      case "seen":
    }
  }

  #closed(code: number): void {
    this.#unwatch();
    this.#socket = null;
    const busy = this.#following !== null && !this.#following.over;
    if (code === NORMAL && !busy) return; // silent for long: the next message connects again
    this.#listener.lost(this.#failures === 0);
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures) * (0.75 + Math.random() / 2);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.open(), wait);
  }

  /** Give this connection up for a new one, at once. */
  #replace(): void {
    this.#unwatch();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(NORMAL);
    this.open();
  }

  /** The network or the machine may have been away: connect now, or ask whether the connection still lives. */
  #look(): void {
    if (document.hidden) return;
    if (this.#retry !== undefined && navigator.onLine) this.open();
    else if (this.isOpen) this.#ask();
  }

  /** As long as something is under way, a silence is looked into. One timer serves many events. */
  #listen(): void {
    this.#heard = performance.now();
    if (this.#listens) return;
    clearTimeout(this.#watch);
    if (this.#following && !this.#following.over) this.#wake(QUIET);
  }

  #wake(after: number): void {
    this.#listens = true;
    this.#watch = setTimeout(() => {
      this.#listens = false;
      if (!this.#following || this.#following.over) return;
      const rest = this.#heard + QUIET - performance.now();
      if (rest > 0) this.#wake(rest);
      else this.#ask();
    }, after);
  }

  #ask(): void {
    if (this.#send('{"ping":true}')) this.#expect(PATIENCE);
  }

  /** Something must come within `patience` milliseconds, else the connection is dead. */
  #expect(patience: number): void {
    this.#unwatch();
    this.#watch = setTimeout(() => {
      const socket = this.#socket;
      if (!socket) return;
      this.#socket = null;
      socket.close();
      this.#listener.lost(this.#failures === 0);
      this.#failures += 1;
      this.open();
    }, patience);
  }

  #unwatch(): void {
    clearTimeout(this.#watch);
    this.#listens = false;
  }

  #send(frame: string): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(frame);
    return true;
  }
}
