/** Takes files: says why one is not taken, makes pictures ready, and sends what is. */

import type { MaterialElement } from "./material.ts";
import { ENOUGH, looksLikeText, problemOf, sortOf, type Problem, type Sort } from "./kinds.ts";
import type { FileItem } from "./tray.ts";
import { UploadError, Uploads } from "./upload.ts";

const EXTENSION = { "image/png": ".png", "image/jpeg": ".jpg" } as const;

export class Carrier {
  readonly #host: MaterialElement;
  readonly #uploads: Uploads;
  readonly #underWay = new Map<number, AbortController>();

  constructor(host: MaterialElement) {
    this.#host = host;
    this.#uploads = new Uploads(host.language);
  }

  /** Take a file, or say why not. Never rejects. */
  async take(file: File): Promise<void> {
    const sort = await sorted(file, this.#host.features.kinds);
    const problem = problemOf(sort, file.size, this.#host.features) ?? this.#tooMany(sort);
    const item: FileItem = {
      kind: sort === "picture" ? "picture" : "document",
      id: this.#host.nextId(),
      name: file.name,
      size: file.size,
      state: problem ? "failed" : "waiting",
      sent: 0,
      file: "",
      problem: problem ? this.#words(problem) : "",
      preview: "",
      alt: "",
    };
    if (problem) this.#failed(item, item.problem);
    else await this.#send(item, file);
  }

  /** Something was taken away: stop sending it, or have the service forget it. */
  drop(item: FileItem): void {
    this.#underWay.get(item.id)?.abort();
    this.#underWay.delete(item.id);
    if (item.file) this.#uploads.forget(item.file);
  }

  async #send(item: FileItem, file: File): Promise<void> {
    const control = new AbortController();
    this.#underWay.set(item.id, control);
    const t = this.#host.t;
    this.#host.put(item);
    this.#host.say(t("material.said.sending", { name: item.name }));
    let latest = item;
    const tell = (more: Partial<FileItem>): void => {
      if (control.signal.aborted) return;
      const now = this.#host.items.find((one): one is FileItem => one.id === item.id && one.kind !== "text");
      latest = { ...(now ?? latest), ...more };
      this.#host.put(latest);
    };
    try {
      let body: Blob = file;
      let name = file.name;
      if (item.kind === "picture") {
        const { prepared } = await import("./picture.ts");
        body = await prepared(file, this.#host.features.limits.picture);
        name = `${name.replace(/\.[^.]*$/, "") || "picture"}${EXTENSION[body.type as keyof typeof EXTENSION] ?? ""}`;
        if (control.signal.aborted) return;
        tell({ preview: URL.createObjectURL(body), size: body.size });
      }
      const watcher = { progress: (sent: number) => tell({ state: "sending", sent }) };
      const id = await this.#uploads.send(body, name, watcher, control.signal);
      if (control.signal.aborted) {
        this.#uploads.forget(id);
        return;
      }
      tell({ state: "ready", sent: 1, file: id });
      this.#host.say(t("material.said.ready", { name: item.name }));
    } catch (failure) {
      if (control.signal.aborted) return;
      this.#failed(latest, this.#why(failure));
    } finally {
      this.#underWay.delete(item.id);
    }
  }

  #failed(item: FileItem, problem: string): void {
    this.#host.put({ ...item, state: "failed", problem });
    this.#host.say(this.#host.t("material.said.failed", { name: item.name, problem }));
  }

  #why(failure: unknown): string {
    if (failure instanceof UploadError) return failure.message || this.#host.t("material.problem.unreachable");
    return this.#host.t("material.problem.unreadable");
  }

  #tooMany(sort: Sort): Problem | null {
    const { documents, pictures } = this.#host.features.limits;
    const kind = sort === "picture" ? "picture" : "document";
    const there = this.#host.items.filter((item) => item.kind === kind && item.state !== "failed").length;
    return there >= (kind === "picture" ? pictures : documents) ? "too_many" : null;
  }

  #words(problem: Problem): string {
    const { kinds, limits, model } = this.#host.features;
    const t = this.#host.t;
    switch (problem) {
      case "empty":
        return t("material.problem.empty");
      case "too_large":
        return t("material.problem.too_large", { size: this.#host.size(limits.document) });
      case "unsupported":
        return t("material.problem.unsupported", { kinds: kinds.join(", ") });
      case "blind":
        return t("material.problem.blind", { model });
      case "files_off":
        return t("material.problem.files_off");
      case "too_many":
        return t("material.problem.too_many", { documents: limits.documents, pictures: limits.pictures });
    }
  }
}

/** What a file is; where its name and type leave that open, by its beginning. */
async function sorted(file: File, kinds: readonly string[]): Promise<Sort> {
  const sort = sortOf(file.name, file.type, kinds);
  if (sort !== "unsure") return sort;
  const start = new Uint8Array(await file.slice(0, ENOUGH).arrayBuffer());
  return looksLikeText(start) ? "document" : "unsupported";
}
