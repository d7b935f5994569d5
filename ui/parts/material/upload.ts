/** Files on their way to `/v1/files`, a few at a time, with their progress. */

const AT_ONCE = 2;
const PATH = "/v1/files";

export interface Watcher {
  /** Told how much has been sent, from 0 to 1. */
  progress(part: number): void;
}

/** Why a file did not arrive: the service's own words, or `""` where it could not be reached. */
export class UploadError extends Error {}

export class Uploads {
  readonly #language: string;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(language: string) {
    this.#language = language;
  }

  /** Send a file, when its turn comes; its id. Rejects with `UploadError`, or as `signal` says. */
  async send(file: Blob, name: string, watcher: Watcher, signal: AbortSignal): Promise<string> {
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
    try {
      signal.throwIfAborted();
      return await this.#sent(file, name, watcher, signal);
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Have the service forget a file that was not used after all; whether or not it hears of it. */
  forget(id: string): void {
    fetch(`${PATH}/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true }).catch(() => undefined);
  }

  #sent(file: Blob, name: string, watcher: Watcher, signal: AbortSignal): Promise<string> {
    const form = new FormData();
    form.append("purpose", "user_data");
    form.append("file", file, name);
    const request = new XMLHttpRequest();
    return new Promise((resolve, reject) => {
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable && event.total) watcher.progress(event.loaded / event.total);
      });
      request.addEventListener("load", () => {
        const answer = answered(request.responseText);
        if (request.status === 200 && answer.id) resolve(answer.id);
        else reject(new UploadError(answer.message));
      });
      request.addEventListener("error", () => reject(new UploadError("")));
      request.addEventListener("abort", () => reject(signal.reason));
      signal.addEventListener("abort", () => request.abort(), { once: true });
      request.open("POST", `${PATH}?lang=${this.#language}`);
      request.send(form);
    });
  }
}

/** The id in an answer, or what it says went wrong. */
export function answered(text: string): { id: string; message: string } {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== "object" || body === null) return { id: "", message: "" };
    const { id, error } = body as { id?: unknown; error?: { message?: unknown } };
    return {
      id: typeof id === "string" ? id : "",
      message: typeof error?.message === "string" ? error.message : "",
    };
  } catch {
    return { id: "", message: "" };
  }
}
