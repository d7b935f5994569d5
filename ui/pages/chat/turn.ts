/** One turn as the page knows it, and what each event makes of it. */

import type { Feedback, Turn as ToldTurn } from "../../client/conversations.ts";
import { NO_MATERIAL, type Material, type Outcome, type Provenance, type SourceFacts, type TurnEvent } from "../../client/events.ts";

/** `waiting`: not yet asked; `asked`: nothing of its answer has come. */
export type Phase = "waiting" | "asked" | "streaming" | "done" | "stopped" | "interrupted" | "failed";

export interface Turn {
  /** Its name on this page. */
  readonly key: string;
  /** Its id at the service; empty until it is accepted. */
  id: string;
  /** The key of the turn that it follows; empty for none. */
  parent: string;
  session: string;
  readonly prompt: string;
  readonly material: Material;
  phase: Phase;
  answer: string;
  notices: string[];
  endnotes: string[];
  sources: SourceFacts[];
  provenance: Provenance | null;
  place: { readonly position: number; readonly seconds: number } | null;
  /** What is told of a failure. */
  message: string;
  code: string;
  feedback: Feedback | null;
  /** Whether it was this page that stopped it. */
  stoppedHere: boolean;
}

/** A turn that is to be asked, under the name `key`. */
export function newTurn(key: string, prompt: string, parent: string, material: Material = NO_MATERIAL): Turn {
  return {
    key,
    id: "",
    parent,
    session: "",
    prompt,
    material,
    phase: "waiting",
    answer: "",
    notices: [],
    endnotes: [],
    sources: [],
    provenance: null,
    place: null,
    message: "",
    code: "",
    feedback: null,
    stoppedHere: false,
  };
}

/** Whether its end has not come yet. */
export function isOpen({ phase }: Turn): boolean {
  return phase === "waiting" || phase === "asked" || phase === "streaming";
}

/** Whether nothing of it is worth keeping, once it is asked again. */
export function isEmpty(turn: Turn): boolean {
  return !isOpen(turn) && turn.phase !== "done" && !turn.answer;
}

/** The sources that its answer may rest on, as far as they are known. */
export function sourcesOf(turn: Turn): readonly SourceFacts[] {
  return turn.provenance?.sources ?? turn.sources;
}

const PHASES = { done: "done", failed: "failed", cancelled: "stopped", interrupted: "interrupted" } as const;

/** What `event` makes of `turn`. True where more than its text has changed. */
export function apply(turn: Turn, event: TurnEvent): boolean {
  switch (event.type) {
    case "accepted":
      turn.id = event.turn;
      turn.session = event.session;
      turn.phase = "asked";
      turn.answer = "";
      Object.assign(turn, { notices: [], endnotes: [], sources: [], provenance: null, place: null, message: "", code: "" });
      return true;
    case "queued":
      turn.place = { position: event.position, seconds: Math.ceil(event.expected_s ?? 0) };
      return true;
    case "notice":
      (event.code === "answer_cut" || turn.answer ? turn.endnotes : turn.notices).push(event.text);
      return true;
    case "source": {
      const { type: _type, n: _n, ...facts } = event;
      turn.sources = [...turn.sources, facts]; // another list: an element that shows it sees that it is
      return true;
    }
    case "token": {
      const first = turn.phase !== "streaming";
      turn.phase = "streaming";
      turn.place = null;
      turn.answer += event.text;
      return first;
    }
    case "citation":
    case "called":
      return false;
    case "done":
      turn.session = event.session || turn.session;
      turn.provenance = event.provenance;
      end(turn, "done");
      return true;
    case "failed":
      turn.id ||= event.turn ?? "";
      end(turn, event.code === "turn.cancelled" ? "stopped" : "failed", event.code, event.message);
      return true;
    case "ended":
      turn.id = event.turn;
      turn.session = event.session;
      turn.answer = kept(turn, event.answer, event.outcome);
      turn.provenance = event.provenance ?? null;
      end(turn, PHASES[event.outcome], event.code, event.message);
      return true;
  }
}

/** Of an answer that broke off, what was shown stays: the service may have stored less of it. */
function kept(turn: Turn, answer: string, outcome: Outcome): string {
  return outcome !== "done" && turn.answer.startsWith(answer) ? turn.answer : answer;
}

/** A turn ends, as `phase`. */
export function end(turn: Turn, phase: Phase, code = "", message = ""): void {
  turn.phase = phase;
  turn.place = null;
  turn.code = code;
  turn.message = phase === "failed" ? message : "";
}

/** What the service tells of a turn goes into `turn`. A running one is `asked`, and is to be followed. */
export function recall(turn: Turn, told: ToldTurn): void {
  turn.id = told.id;
  turn.session = told.session;
  turn.feedback = told.feedback;
  if (told.outcome === "accepted") {
    // One that was found to be lost is not followed again.
    if (turn.phase !== "streaming" && turn.phase !== "interrupted") turn.phase = "asked";
    return;
  }
  turn.answer = kept(turn, told.answer, told.outcome);
  turn.provenance = told.provenance;
  end(turn, PHASES[told.outcome], told.code, told.message);
}
