/** Dictation by the browser (Web Speech API): on this machine where it can, else by whom its maker chooses. */

import type { Failure, Listener, Recognizer } from "./recognizer.ts";

interface Alternative {
  readonly transcript: string;
}

interface Result extends ArrayLike<Alternative> {
  readonly isFinal: boolean;
}

interface ResultEvent extends Event {
  readonly resultIndex: number;
  readonly results: ArrayLike<Result>;
}

interface ErrorEvent_ extends Event {
  readonly error: string;
}

interface Recognition extends EventTarget {
  lang: string;
  continuous: boolean;
  interimResults: boolean;
  processLocally?: boolean;
  start(): void;
  stop(): void;
  abort(): void;
}

interface RecognitionClass {
  new (): Recognition;
  available?(options: { langs: string[]; processLocally: boolean }): Promise<string>;
}

const REASONS: Readonly<Record<string, Failure | null>> = {
  "not-allowed": "denied",
  "service-not-allowed": "denied",
  "audio-capture": "denied",
  "language-not-supported": "language",
  network: "network",
  "no-speech": "silence",
  aborted: null,
};

/** The browser's recognizer; null where it has none. */
export function browserRecognizer(): Recognizer | null {
  const place = globalThis as { SpeechRecognition?: RecognitionClass; webkitSpeechRecognition?: RecognitionClass };
  const found = place.SpeechRecognition ?? place.webkitSpeechRecognition;
  return found ? new BrowserRecognizer(found) : null;
}

class BrowserRecognizer implements Recognizer {
  readonly goesElsewhere = true;
  readonly #kind: RecognitionClass;
  #running: Recognition | null = null;
  #turn = 0;

  constructor(kind: RecognitionClass) {
    this.#kind = kind;
  }

  start(language: string, listener: Listener): void {
    this.abort();
    const turn = ++this.#turn;
    void this.#isLocal(language).then((isLocal) => {
      if (turn === this.#turn) this.#begin(language, isLocal, listener);
      else listener.ended(null);
    });
  }

  stop(): void {
    this.#turn += 1;
    this.#running?.stop();
  }

  abort(): void {
    this.#turn += 1;
    this.#running?.abort();
  }

  async #isLocal(language: string): Promise<boolean> {
    const answer = await this.#kind.available?.({ langs: [`${language}-CA`], processLocally: true }).catch(() => "");
    return answer === "available";
  }

  #begin(language: string, isLocal: boolean, listener: Listener): void {
    const recognition = new this.#kind();
    let failure: Failure | null = null;
    recognition.lang = `${language}-CA`;
    recognition.continuous = true;
    recognition.interimResults = true;
    if (isLocal && "processLocally" in recognition) recognition.processLocally = true;
    recognition.addEventListener("start", () => listener.began());
    recognition.addEventListener("result", (event) => heard(event as ResultEvent, listener));
    recognition.addEventListener("error", (event) => {
      const reason = REASONS[(event as ErrorEvent_).error];
      failure = reason === undefined ? "other" : reason;
    });
    recognition.addEventListener("end", () => {
      if (this.#running === recognition) this.#running = null;
      listener.ended(failure);
    });
    this.#running = recognition;
    try {
      recognition.start();
    } catch {
      this.#running = null;
      listener.ended("other");
    }
  }
}

function heard(event: ResultEvent, listener: Listener): void {
  let interim = "";
  for (let at = event.resultIndex; at < event.results.length; at += 1) {
    const result = event.results[at];
    const said = result?.[0]?.transcript ?? "";
    if (result?.isFinal) listener.final(said);
    else interim += said;
  }
  listener.interim(interim.trim());
}
