/** The list of earlier conversations: beside the conversation where there is room, else in a dialogue. */

import { whenIdle } from "../../client/idle.ts";
import { onPreferences } from "../../client/preferences.ts";
import type { Remembered } from "../../client/kept_here.ts";
import type { Translate } from "../../client/texts.ts";
import type { History } from "../../parts/history/history.ts";
import { element, type Told } from "./page.ts";
import { load } from "./parts.ts";

const WIDE = "(min-width: 64rem)";
const CLOSED = "menagerie.history-closed";

export class Dock {
  readonly #page: Told;
  readonly #t: Translate;
  readonly #open: (id: string) => void;
  readonly #deleted: (id: string) => void;
  readonly #aside = element("history-dock", HTMLElement);
  readonly #dialog = element("history-dialog", HTMLDialogElement);
  readonly #toggle = element("history-toggle", HTMLButtonElement);
  readonly #new = element("new", HTMLAnchorElement);
  readonly #wide = matchMedia(WIDE);
  #list: History | undefined;
  #loading: Promise<History | undefined> | undefined;
  #current = "";

  constructor(page: Told, t: Translate, open: (id: string) => void, deleted: (id: string) => void) {
    this.#deleted = deleted;
    this.#page = page;
    this.#t = t;
    this.#open = open;
    this.#toggle.hidden = false;
    this.#toggle.addEventListener("click", () => this.#press());
    element("history-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => {
      if (document.activeElement === document.body) this.#toggle.focus();
    });
    this.#wide.addEventListener("change", () => this.#lay());
    onPreferences(() => this.#lay());
    this.#lay();
  }

  /** The conversation that is shown. */
  show(id: string): void {
    this.#current = id;
    if (this.#list) this.#list.current = id;
  }

  /** A turn was added to it. */
  remember(entry: Remembered): void {
    if (!entry.id) return;
    void this.#load().then((list) => list?.remember(entry));
  }

  #press(): void {
    if (this.#wide.matches) {
      const isClosed = !this.#aside.hidden;
      try {
        localStorage.setItem(CLOSED, isClosed ? "yes" : "");
      } catch {
        // Forbidden: it holds until the page is left.
      }
      this.#set(isClosed);
      return;
    }
    void this.#load().then((list) => {
      if (list) this.#dialog.append(list);
      this.#dialog.showModal();
    });
  }

  #lay(): void {
    if (!this.#wide.matches) {
      this.#aside.hidden = true;
      this.#toggle.removeAttribute("aria-expanded");
      this.#putTools(element("who-tools", HTMLDivElement));
      return;
    }
    let isClosed = false;
    try {
      isClosed = localStorage.getItem(CLOSED) === "yes";
    } catch {
      // Forbidden.
    }
    if (this.#dialog.open) this.#dialog.close();
    this.#set(isClosed);
  }

  #set(isClosed: boolean): void {
    this.#aside.hidden = isClosed;
    this.#putTools(element(isClosed ? "who-tools" : "history-dock-head", HTMLDivElement));
    this.#toggle.setAttribute("aria-expanded", String(!isClosed));
    if (!isClosed) whenIdle(() => void this.#load().then((list) => list && this.#aside.append(list)));
  }

  /** The buttons stand at the list while that is open beside the conversation, else with who answers. */
  #putTools(place: HTMLElement): void {
    if (place.contains(this.#toggle)) return;
    const focused = document.activeElement;
    place.append(this.#toggle, this.#new, element("restore", HTMLButtonElement));
    if (focused instanceof HTMLElement && place.contains(focused)) focused.focus({ preventScroll: true });
  }

  #load(): Promise<History | undefined> {
    this.#loading ??= load("history").then((isThere) => {
      if (!isThere) return undefined;
      const list = document.createElement("m-history");
      Object.assign(list, { persona: this.#page.persona, current: this.#current, t: this.#t, language: this.#page.language });
      list.addEventListener("conversation-chosen", (event) => {
        const { id, persona } = (event as CustomEvent<{ id: string; persona: string }>).detail;
        if (persona !== this.#page.persona) return;
        event.preventDefault();
        if (this.#dialog.open) this.#dialog.close();
        this.#open(id);
      });
      list.addEventListener("conversation-deleted", (event) => {
        this.#deleted((event as CustomEvent<{ id: string }>).detail.id);
      });
      this.#list = list;
      return list;
    });
    return this.#loading;
  }
}
