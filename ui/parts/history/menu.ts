/** The menu of what can be done with one conversation (APG, "menu button"). */

import { html, type LitElement, type TemplateResult } from "lit";

import type { ExportFormat } from "../../client/conversations.ts";
import type { Translate } from "../../client/texts.ts";

export interface ActionsMenu {
  readonly t: Translate;
  /** Whose actions these are. */
  readonly title: string;
  onExport(format: ExportFormat): void;
  onRename(): void;
  onDelete(): void;
  /** It is closed; `back`: the focus belongs where it was opened. */
  onClose(back: boolean): void;
}

const EDGE = 8;

/** The menu, not yet open: `OpenMenu` opens it. */
export function actionsMenu({ t, title, onExport, onRename, onDelete, onClose }: ActionsMenu): TemplateResult {
  const take = (format: ExportFormat, name: string): TemplateResult =>
    html`<button type="button" role="menuitem" tabindex="-1" @click=${() => onExport(format)}>${name}</button>`;
  return html`<div class="history-menu" role="menu" popover="auto" aria-label=${t("history.actions", { title })}
    @keydown=${(event: KeyboardEvent) => move(event, onClose)}
    @toggle=${(event: ToggleEvent) => event.newState === "closed" && onClose(false)}>
    <button type="button" role="menuitem" tabindex="-1" @click=${onRename}>${t("history.rename")}</button>
    ${take("md", t("history.export.md"))} ${take("docx", t("history.export.docx"))}
    ${take("json", t("history.export.json"))}
    <button type="button" role="menuitem" tabindex="-1" class="history-danger" @click=${onDelete}>
      ${t("history.delete")}
    </button>
  </div>`;
}

/** Which conversation's menu is open. */
export class OpenMenu {
  /** Its id; "" for none. */
  of = "";
  readonly #host: LitElement;
  readonly #find: (id: string, what: string) => HTMLElement | null;
  #wasOpen = false;

  /** `find` finds what is there of a conversation. */
  constructor(host: LitElement, find: (id: string, what: string) => HTMLElement | null) {
    this.#host = host;
    this.#find = find;
  }

  /** Its button is pressed: that closes an open menu before the click comes. */
  press(id: string): void {
    this.#wasOpen = this.of === id;
  }

  async open(id: string): Promise<void> {
    if (this.#wasOpen) {
      this.#wasOpen = false;
      return;
    }
    this.of = id;
    this.#host.requestUpdate();
    await this.#host.updateComplete;
    const [menu, button] = this.#parts();
    if (menu && button) openMenu(menu, button);
  }

  /** Close it; `back`: the focus goes to its button. */
  close(id: string, back: boolean): void {
    if (this.of !== id) return;
    this.of = "";
    this.#host.requestUpdate();
    if (back) this.#find(id, ".history-actions")?.focus();
  }

  /** For scrolling and new sizes: it goes along with its button, and closes where that is out of view. */
  readonly moved = (event: Event): void => {
    const [menu, button] = this.of ? this.#parts() : [];
    if (!menu || !button || event.target === menu || !menu.matches(":popover-open")) return;
    if (!placeMenu(menu, button)) this.close(this.of, false);
  };

  #parts(): [HTMLElement | null, HTMLElement | null] {
    return [this.#find(this.of, ".history-menu"), this.#find(this.of, ".history-actions")];
  }
}

/** Open `menu` by `button`, with the focus on its first item. */
function openMenu(menu: HTMLElement, button: HTMLElement): void {
  menu.showPopover();
  placeMenu(menu, button);
  items(menu)[0]?.focus({ preventScroll: true });
}

/** Put an open `menu` by `button`, where there is room. Whether the button is in view. */
function placeMenu(menu: HTMLElement, button: HTMLElement): boolean {
  const anchor = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = anchor.bottom + height + EDGE <= innerHeight || anchor.top < height + EDGE;
  const top = below ? anchor.bottom : anchor.top - height;
  menu.style.top = `${Math.max(EDGE, Math.min(top, innerHeight - height - EDGE))}px`;
  menu.style.left = `${Math.max(EDGE, Math.min(anchor.right - width, innerWidth - width - EDGE))}px`;
  return anchor.bottom > 0 && anchor.top < innerHeight;
}

function items(menu: HTMLElement): HTMLElement[] {
  return [...menu.querySelectorAll<HTMLElement>("[role=menuitem]")];
}

function move(event: KeyboardEvent, onClose: (back: boolean) => void): void {
  const menu = event.currentTarget as HTMLElement;
  const all = items(menu);
  const at = all.findIndex((item) => item === document.activeElement);
  const to: Readonly<Record<string, number>> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    Home: 0,
    End: -1,
  };
  event.stopPropagation();
  if (event.key === "Escape" || event.key === "Tab") {
    // The focus goes back to the button; Tab then goes on from there.
    if (event.key === "Escape") event.preventDefault();
    onClose(true);
    return;
  }
  const next = to[event.key] ?? byLetter(all, at, event);
  if (next === undefined) return;
  event.preventDefault();
  all.at(next % all.length)?.focus();
}

/** The next item that begins with the letter of `event`. */
function byLetter(all: readonly HTMLElement[], at: number, event: KeyboardEvent): number | undefined {
  if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const letter = event.key.toLowerCase();
  const order = all.map((_, index) => (at + 1 + index) % all.length);
  return order.find((index) => all[index]?.textContent?.trim().toLowerCase().startsWith(letter));
}
