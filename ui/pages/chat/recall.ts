/** What the service remembers of a conversation, and what it is told of an answer: `/conversations/{id}`. */

import type { Feedback, ToldTurn } from "./turn.ts";

export interface ToldConversation {
  readonly id: string;
  readonly persona: string;
  readonly title: string;
  readonly turns: readonly ToldTurn[];
  readonly leaf: string | null;
  readonly running: string | null;
}

/** A conversation; `unknown` where it is nobody's, or not the caller's, `away` where the service does not answer. */
export async function recalled(
  id: string,
  language: string,
  signal?: AbortSignal,
): Promise<ToldConversation | "unknown" | "away"> {
  try {
    const response = await fetch(`${address(id)}?lang=${language}`, {
      headers: { Accept: "application/json" },
      ...(signal ? { signal } : {}),
    });
    if (response.ok) return (await response.json()) as ToldConversation;
    return [401, 403, 404].includes(response.status) ? "unknown" : "away";
  } catch {
    return "away";
  }
}

/** Tell what a person thinks of an answer, null to take it back. False where that did not work. */
export async function tellFeedback(id: string, turn: string, feedback: Feedback | null): Promise<boolean> {
  try {
    const response = await fetch(`${address(id)}/turns/${encodeURIComponent(turn)}/feedback`, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ value: feedback?.value ?? "", comment: feedback?.comment ?? "" }),
    });
    return response.ok;
  } catch {
    return false;
  }
}

function address(id: string): string {
  return `/conversations/${encodeURIComponent(id)}`;
}
