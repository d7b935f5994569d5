/** What the service tells of conversations and does with them: `/conversations`. */

import type { Outcome, Provenance } from "./events.ts";
import { forgetInTab } from "./tab_memory.ts";

/** A conversation in a list; moments are ISO 8601. `named`: somebody gave it its title. */
export interface Summary {
  readonly id: string;
  readonly persona: string;
  readonly title: string;
  readonly named: boolean;
  readonly language: string;
  readonly started: string;
  readonly last_at: string;
  readonly turns: number;
}

/** Part of a list, the conversation last active first. `next`: where the next part begins, null at the end. `kept`:
 * the service has a list of this caller's conversations at all. */
export interface Part {
  readonly conversations: readonly Summary[];
  readonly next: string | null;
  readonly kept: boolean;
}

/** Which conversations a list is to have; what is empty does not matter. */
export interface Wanted {
  readonly words?: string;
  readonly persona?: string;
  readonly before?: string;
  /** At most so many, 1 to 100. */
  readonly limit?: number;
}

/** What a person thinks of an answer. */
export interface Feedback {
  readonly value: "good" | "bad";
  readonly comment: string;
}

/** A turn of a conversation; `parent` is the id of the turn that it follows. */
export interface Turn {
  readonly id: string;
  readonly parent: string | null;
  readonly session: string;
  readonly prompt: string;
  readonly language: string;
  readonly outcome: Outcome | "accepted";
  readonly code: string;
  readonly message: string;
  readonly accepted_at: string;
  readonly answer: string;
  readonly provenance: Provenance | null;
  readonly feedback: Feedback | null;
}

/** A conversation with all its branches: turns in order of time, a tree by `parent`. */
export interface Conversation extends Omit<Summary, "turns"> {
  readonly turns: readonly Turn[];
  readonly leaf: string | null;
  readonly running: string | null;
}

export type ExportFormat = "md" | "json" | "docx";

/** A file, and the name that it is to have. */
export interface Exported {
  readonly name: string;
  readonly content: Blob;
}

/** The service has answered with an error. `message` is its sentence in the language of the page; it may be empty. */
export class ServiceError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "ServiceError";
    this.status = status;
    this.code = code;
  }
}

/** There was no answer: no network, or no service. */
export class UnreachableError extends Error {
  constructor(cause: unknown) {
    super("unreachable", { cause });
    this.name = "UnreachableError";
  }
}

/** Whether it is because of a conversation that is not, or no longer, the caller's. */
export function isUnknown(error: unknown): boolean {
  return error instanceof ServiceError && error.status === 404;
}

/** The page on which a conversation goes on. Its id is in the fragment, which no browser sends. */
export function addressOf(language: string, { persona, id }: Pick<Summary, "persona" | "id">): string {
  return `/${language}/chat/${encodeURIComponent(persona)}#c=${encodeURIComponent(id)}`;
}

/** `/conversations` for a page in `language`. Its methods throw `ServiceError`, `UnreachableError`, and what an
 * aborted `signal` throws. */
export class ConversationService {
  readonly language: string;

  constructor(language: string) {
    this.language = language;
  }

  async list(wanted: Wanted = {}, signal?: AbortSignal): Promise<Part> {
    const answer = await this.#ask("GET", "", {
      query: { q: wanted.words, persona: wanted.persona, limit: wanted.limit?.toString(), before: wanted.before },
      signal,
    });
    const { conversations, next, kept } = (await answer.json()) as Partial<Part>;
    return { conversations: (conversations ?? []).filter(isSummary), next: next ?? null, kept: kept === true };
  }

  async get(id: string, signal?: AbortSignal): Promise<Conversation> {
    return (await (await this.#ask("GET", one(id), { signal })).json()) as Conversation;
  }

  /** Give it a title of at most 200 characters; an empty one has it called by its beginning again. */
  async rename(id: string, title: string): Promise<Summary> {
    return (await (await this.#ask("PATCH", one(id), { body: { title } })).json()) as Summary;
  }

  /** It goes on where the page is left. */
  async delete(id: string): Promise<void> {
    await this.#ask("DELETE", one(id), { keepalive: true });
    if (typeof sessionStorage !== "undefined") forgetInTab(id, sessionStorage);
  }

  /** Say what one thinks of an answer; null takes it back. */
  async rate(id: string, turn: string, feedback: Feedback | null): Promise<void> {
    const body = { value: feedback?.value ?? "", comment: feedback?.comment ?? "" };
    await this.#ask("PUT", `${one(id)}/turns/${encodeURIComponent(turn)}/feedback`, { body, keepalive: true });
  }

  /** One branch of it as a file: that which ends with the turn `leaf`, else the newest. */
  async export(id: string, format: ExportFormat, leaf?: string): Promise<Exported> {
    const answer = await this.#ask("GET", `${one(id)}/export`, { query: { format, leaf } });
    const name = /filename="([^"/\\]+)"/u.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
    return { name: name ?? `conversation.${format}`, content: await answer.blob() };
  }

  async #ask(method: string, path: string, how: Asked): Promise<Response> {
    const query = filled({ ...how.query, lang: this.language });
    const headers: Record<string, string> = { Accept: "application/json" };
    if (how.body) headers["Content-Type"] = "application/json";
    let answer: Response;
    try {
      answer = await fetch(`/conversations${path}?${query}`, {
        method,
        headers,
        keepalive: how.keepalive ?? false,
        signal: how.signal ?? null,
        ...(how.body ? { body: JSON.stringify(how.body) } : {}),
      });
    } catch (error) {
      if (how.signal?.aborted) throw error;
      throw new UnreachableError(error);
    }
    if (!answer.ok) throw await told(answer);
    return answer;
  }
}

interface Asked {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: Readonly<Record<string, string>>;
  readonly keepalive?: boolean;
  readonly signal?: AbortSignal | undefined;
}

const TEXTS = ["id", "persona", "title", "language", "started", "last_at"] as const;

/** Whether `value` is a conversation as lists have it. */
export function isSummary(value: unknown): value is Summary {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  return (
    TEXTS.every((name) => typeof fields[name] === "string") &&
    typeof fields["named"] === "boolean" &&
    typeof fields["turns"] === "number" &&
    fields["id"] !== ""
  );
}

function one(id: string): string {
  return `/${encodeURIComponent(id)}`;
}

function filled(parameters: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(parameters).filter((pair): pair is [string, string] => Boolean(pair[1]));
  return new URLSearchParams(given).toString();
}

async function told(answer: Response): Promise<ServiceError> {
  try {
    const { error } = (await answer.json()) as { error?: { code?: unknown; message?: unknown } };
    return new ServiceError(answer.status, String(error?.code ?? ""), String(error?.message ?? ""));
  } catch {
    return new ServiceError(answer.status, "", "");
  }
}
