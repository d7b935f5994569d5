/** A conversation with one persona: what is asked, what comes back, and what is left when either breaks off. */

import { blank } from "./memory.js";

/**
 * @import { Announcer } from "./announcer.js"
 * @import { AnswerView, Log } from "./log.js"
 * @import { Memory, Question, State, Transcript } from "./memory.js"
 * @import { PersonaSocket, ServerEvent } from "../../client/socket.js"
 * @import { Translate } from "../../client/texts.ts"
 */

/**
 * What the page shows around the messages.
 * @typedef {object} Surroundings
 * @property {(busy: boolean) => void} busy whether an answer is under way
 * @property {(words: string) => void} progress what the service is doing, or nothing
 * @property {(words: string, canRetry: boolean) => void} trouble an error, or nothing
 * @property {(session: string) => void} number the conversation's number, or nothing
 */

export class Conversation {
  /**
   * @param {{socket: PersonaSocket, log: Log, memory: Memory, announcer: Announcer, around: Surroundings, t: Translate}} parts
   */
  constructor({ socket, log, memory, announcer, around, t }) {
    this.socket = socket;
    this.log = log;
    this.memory = memory;
    this.announcer = announcer;
    this.around = around;
    this.t = t;
    /** @type {Transcript} */
    this.transcript = blank();
    /** @type {Transcript | null} */
    this.previous = null;
    /** @type {AnswerView | null} the newest answer */
    this.view = null;
    this.busy = false;
    this.isLost = false;
    socket.onevent = (event) => this.#receive(event);
    socket.onlost = () => this.#lost();
    socket.onopen = () => this.#connected();
    log.onresend = () => this.retry();
    addEventListener("pagehide", () => memory.save(this.transcript));
  }

  /**
   * Show a conversation, and go on with it.
   * @param {Transcript} transcript
   */
  show(transcript) {
    this.transcript = transcript;
    this.log.clear();
    this.view = null;
    for (const message of transcript.messages) {
      this.view?.settle();
      if (message.who === "you") this.log.addQuestion(message);
      else this.view = this.log.addAnswer(message);
    }
    this.around.number(transcript.session);
    this.memory.save(transcript);
  }

  /**
   * Ask something.
   * @param {string} text
   * @param {string} context text that the answer should rest on, or nothing
   */
  ask(text, context) {
    /** @type {Question} */
    const question = { who: "you", text, context };
    this.previous = null;
    this.view?.settle();
    this.transcript.messages.push(question);
    this.log.addQuestion(question);
    this.#begin(question);
  }

  /** Ask the last question again, in place of the answer that did not come. */
  retry() {
    const question = this.transcript.messages.findLast((message) => message.who === "you");
    if (this.busy || question?.who !== "you") return;
    this.#begin(question, this.transcript.messages.at(-1)?.who === "answer" ? this.view : null);
  }

  /** End the answer that is under way. */
  stop() {
    if (this.busy && this.socket.cancel()) this.#end("stopped");
  }

  /** Begin anew. The conversation until now can be had back until the next question. */
  startAnew() {
    if (this.busy) {
      this.socket.abandon();
      this.#end("stopped");
    }
    this.previous = this.transcript.messages.length ? this.transcript : this.previous;
    this.around.trouble("", false);
    this.show(blank());
    this.announcer.say(this.t("new"));
  }

  /** Back to the conversation that `startAnew` left. */
  restore() {
    if (!this.previous) return;
    const transcript = this.previous;
    this.previous = null;
    this.show(transcript);
    this.announcer.say(this.t("restored"));
  }

  /**
   * @param {Question} question
   * @param {AnswerView | null} [again] the answer that is to come again
   */
  #begin(question, again = null) {
    this.around.trouble("", false);
    if (again) {
      again.reset();
      this.view = again;
    } else {
      /** @type {import("./memory.js").Answer} */
      const answer = { who: "answer", text: "", state: "streaming", notices: [], endnotes: [], sources: [], provenance: null };
      this.transcript.messages.push(answer);
      this.view = this.log.addAnswer(answer);
    }
    this.busy = true;
    this.around.busy(true);
    const given = question.context ? [{ kind: "context", text: question.context }] : [];
    const sent = this.socket.ask({ prompt: question.text, session: this.transcript.session, given });
    this.around.progress(this.t(sent ? "thinking" : "connecting"));
    this.announcer.begin();
    this.log.scrollToEnd(true);
    this.memory.save(this.transcript);
  }

  /** @param {ServerEvent} event */
  #receive(event) {
    if (!this.busy || !this.view) return;
    switch (event.type) {
      case "accepted":
        this.#keepSession(event["session"]);
        break;
      case "queued":
        this.#queued(event);
        break;
      case "notice":
        this.view.addNotice(event["text"], event["code"] === "answer_cut");
        this.announcer.say(event["text"]);
        break;
      case "source":
        this.view.addSource(event);
        break;
      case "token":
        this.around.progress(this.t("generating"));
        this.view.append(event["text"]);
        this.memory.saveSoon(this.transcript);
        break;
      case "done":
        this.#keepSession(event["session"]);
        this.view.answer.provenance = event["provenance"];
        this.view.answer.sources = [];
        this.#end("done");
        break;
      case "failed":
        this.#failed(event);
    }
  }

  /** @param {ServerEvent} event */
  #queued(event) {
    const seconds = event["expected_s"];
    const words = seconds
      ? this.t("queued_for", { position: event["position"], seconds: Math.ceil(seconds) })
      : this.t("queued", { position: event["position"] });
    this.around.progress(words);
    this.announcer.say(words);
  }

  /** @param {ServerEvent} event */
  #failed(event) {
    if (event["code"] === "turn.cancelled") {
      this.#end("stopped");
      return;
    }
    if (event["code"] === "session.unknown") this.#keepSession("", true);
    this.#end("failed", event["message"]);
  }

  /**
   * @param {State} state
   * @param {string} [trouble] what to tell of a failure
   */
  #end(state, trouble = "") {
    const view = /** @type {AnswerView} */ (this.view);
    const wasAtEnd = this.log.atEnd;
    this.busy = false;
    view.answer.state = state;
    view.update();
    this.around.busy(false);
    this.around.progress("");
    this.around.trouble(trouble, Boolean(trouble));
    this.log.scrollToEnd(wasAtEnd);
    if (state === "done") this.announcer.ready([view.answer.text, ...(view.answer.endnotes ?? [])].join("\n"));
    else if (state === "failed") this.announcer.silence();
    else this.announcer.say(this.t(state));
    this.memory.save(this.transcript);
  }

  #lost() {
    this.isLost = true;
    if (this.busy && this.socket.waiting === null) this.#end("interrupted");
    const words = this.t(this.busy ? "connecting" : "lost");
    if (this.socket.failures === 0) this.announcer.say(words);
    this.around.progress(words);
  }

  #connected() {
    if (!this.isLost) return;
    this.isLost = false;
    this.around.progress(this.busy ? this.t("thinking") : "");
    this.announcer.say(this.t("back"));
  }

  /**
   * @param {string} session
   * @param {boolean} [evenNone]
   */
  #keepSession(session, evenNone = false) {
    if (!session && !evenNone) return;
    this.transcript.session = session;
    this.around.number(session);
  }
}
