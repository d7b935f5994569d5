/** The question before a conversation is deleted. */

import { html, nothing, type TemplateResult } from "lit";

import type { Translate } from "../../client/texts.ts";

export interface DeleteDialogue {
  readonly t: Translate;
  /** What the dialogue's parts are called by. */
  readonly name: string;
  readonly title: string;
  readonly busy: boolean;
  /** Why it could not be deleted. */
  readonly trouble: string;
  onConfirm(): void;
  onClose(): void;
}

/** The dialogue, not yet open. The first control is the harmless one. */
export function deleteDialogue({ t, name, title, busy, trouble, onConfirm, onClose }: DeleteDialogue): TemplateResult {
  return html`<dialog class="history-dialogue" aria-labelledby=${`${name}-ask`} aria-describedby=${`${name}-which ${name}-how`}
    @cancel=${(event: Event) => (event.preventDefault(), onClose())} @click=${(event: MouseEvent) => event.target === event.currentTarget && onClose()}>
    <div class="history-dialogue-body">
      <h2 id=${`${name}-ask`}>${t("history.delete.ask")}</h2>
      <p id=${`${name}-which`} class="history-which" dir="auto">${title}</p>
      <p id=${`${name}-how`}>${t("history.delete.how")}</p>
      <div role="alert">${trouble ? html`<p class="history-fault">${trouble}</p>` : nothing}</div>
      <div class="history-buttons">
        <button type="button" class="button" autofocus @click=${onClose}>${t("history.cancel")}</button>
        <button type="button" class="button history-delete" aria-disabled=${busy} @click=${onConfirm}>
          ${t(busy ? "history.deleting" : "history.delete.confirm")}
        </button>
      </div>
    </div>
  </dialog>`;
}
