/** The connection to a persona: one websocket that speaks `menagerie.events.v1`, made again when it is lost. */

const PROTOCOL = "menagerie.events.v1";
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15000;
const NORMAL = 1000;

/**
 * An event as the server sends it: `type` is accepted, queued, notice, token, source, done or failed.
 * @typedef {{type: string} & Record<string, any>} ServerEvent
 */

export class PersonaSocket {
  /** @param {string} path such as `/gpt-socket/beaver?lang=en` */
  constructor(path) {
    const address = new URL(path, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.address = address;
    this.failures = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {string | null} a prompt that waits for the connection */
    this.waiting = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {(event: ServerEvent) => void} */
    this.onevent = () => {};
    /** Called each time a connection stands. */
    this.onopen = () => {};
    /** Called when a connection is lost or cannot be made, unless the server closed it in order. */
    this.onlost = () => {};
    addEventListener("online", () => this.#retryNow());
    document.addEventListener("visibilitychange", () => this.#retryNow());
  }

  /** Connect, unless that is so already. */
  open() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.socket) return;
    const socket = new WebSocket(this.address, PROTOCOL);
    this.socket = socket;
    socket.addEventListener("open", () => {
      if (this.socket !== socket) return;
      this.failures = 0;
      this.onopen();
      if (this.waiting !== null) socket.send(this.waiting);
      this.waiting = null;
    });
    socket.addEventListener("message", (message) => {
      if (this.socket === socket) this.onevent(JSON.parse(message.data));
    });
    socket.addEventListener("close", (close) => {
      if (this.socket === socket) this.#closed(close.code);
    });
  }

  /**
   * Send a prompt, now or as soon as there is a connection.
   * @param {{prompt: string, session: string, given: {kind: string, text: string}[]}} request
   * @returns {boolean} whether it was sent at once
   */
  ask(request) {
    const frame = JSON.stringify(request);
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(frame);
      return true;
    }
    this.waiting = frame;
    this.open();
    return false;
  }

  /**
   * Stop the turn: take back a prompt that still waits, or ask the server to end the answer.
   * @returns {boolean} whether nothing was under way at the server
   */
  cancel() {
    const unsent = this.waiting !== null;
    this.waiting = null;
    if (!unsent && this.socket?.readyState === WebSocket.OPEN) this.socket.send('{"cancel": true}');
    return unsent;
  }

  /** Give up whatever is under way: the server ends a turn whose connection is gone. Then connect afresh. */
  abandon() {
    const socket = this.socket;
    this.socket = null;
    this.waiting = null;
    socket?.close(NORMAL);
    this.open();
  }

  /** @param {number} code */
  #closed(code) {
    this.socket = null;
    if (code === NORMAL && this.waiting === null) return;
    this.onlost();
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.failures) * (0.75 + Math.random() / 2);
    this.failures += 1;
    this.timer = setTimeout(() => this.open(), wait);
  }

  #retryNow() {
    if (this.timer !== undefined && !document.hidden) this.open();
  }
}
