/** The chat page: joins the composer to a conversation, and shows what becomes of it. */

import "./layout.css";
import "./who.css";
import "./messages.css";
import "./tools.css";
import "./dock.css";
import "./narrow.css";
import "./markdown.css";
import "./streaming.css";

import { ConversationService, addressOf } from "../../client/conversations.ts";
import { newName } from "../../client/names.ts";
import { keepPlace, placeOf } from "../../client/place.ts";
import { PersonaSocket } from "../../client/socket.ts";
import { forgetOthers, remembered } from "../../client/tab_memory.ts";
import { formats, translator } from "../../client/texts.ts";
import { Announcer } from "../../parts/announcer/announcer.ts";
import { loadMarkdown } from "../../parts/markdown/text.ts";
import type { Deeds, Versions } from "./actions.ts";
import { Around } from "./around.ts";
import { Composer } from "./composer.ts";
import { Conversation } from "./conversation.ts";
import { Dock } from "./dock.ts";
import { Log } from "./log.ts";
import { Memory } from "./memory.ts";
import { MaterialBox } from "./material_box.ts";
import { element, told } from "./page.ts";
import { recalled } from "./recall.ts";
import { Scrolling } from "./scrolling.ts";
import { Sending } from "./sending.ts";
import { Tabs } from "./tabs.ts";
import { isOpen, type Turn } from "./turn.ts";

const page = told();
const t = translator(page.texts);
const format = formats(page.language);
const service = new ConversationService(page.language);
forgetOthers(page.who, sessionStorage);
const memory = new Memory(remembered(page.who, page.persona), sessionStorage);
const announcer = new Announcer(element("status", HTMLParagraphElement), t);
const scrolling = new Scrolling(element("newest", HTMLButtonElement));
const restore = element("restore", HTMLButtonElement);
const composer = new Composer({
  form: element("composer", HTMLFormElement),
  prompt: element("prompt", HTMLTextAreaElement),
  send: element("send", HTMLButtonElement),
  stop: element("stop", HTMLButtonElement),
  keys: element("keys", HTMLParagraphElement),
  memory,
  t,
});
const material = new MaterialBox(page, t, format);
const around = new Around(t, announcer, { retry: () => conversation.retry(), refocus: () => composer.focus() });
const sending = new Sending({
  form: element("composer", HTMLFormElement),
  material,
  t,
  go: () => {
    if (composer.text.trim()) sendNow(composer.take());
  },
  say: (words) => announcer.say(words),
  refocus: () => composer.focus(),
});
/** The conversation that was left last, until something is asked. */
let previous = "";

const deeds: Deeds = {
  copy: (turn) => copied(turn.answer),
  again: (turn) => void (conversation.again(turn) && composer.focus()),
  edit(turn, prompt) {
    conversation.again(turn, prompt);
    composer.focus();
  },
  choose(turn) {
    conversation.choose(turn);
    announcer.say(t("version", versionWords(turn)));
    log.view(turn)?.answer.focus();
  },
  takeBack(turn) {
    conversation.takeBack(turn);
    composer.put(turn.prompt);
    composer.focus();
  },
  think(turn, feedback) {
    turn.feedback = feedback;
    const view = log.view(turn);
    view?.comment(feedback !== null && !feedback.comment);
    void service.rate(conversation.id, turn.id, feedback).then(
      () => announcer.say(t(feedback ? "thanks" : "thanks.back")),
      () => around.trouble(t("feedback_lost")),
    );
  },
  cite: (turn, number) => log.view(turn)?.showSource(number),
};

const log = new Log(element("log", HTMLElement), element("earlier", HTMLButtonElement), {
  persona: page.name,
  t,
  format,
  deeds,
  conversation: () => conversation.id,
  blocks: {
    copy: t("copy_code"),
    copyCode: t("copy_code.name"),
    table: t("table"),
    code: t("code"),
    copied,
  },
});
log.onleave = () => composer.focus();

const socket = new PersonaSocket(page.socket, {
  event: (event) => conversation.receive(event),
  open: () => conversation.connected(),
  lost(first) {
    conversation.lost();
    announcer.silence();
    const hasUnsaid = conversation.isBusy && !conversation.active?.id;
    if (first) announcer.say(t(hasUnsaid ? "connecting" : "lost"));
  },
  unknown: () => conversation.unknown(),
});

let isLost = false;
const tabs = new Tabs((id, turn) => conversation.heard(id, turn));
const dock = new Dock(page, t, (id) => open(id), (id) => {
  if (id === conversation.id) conversation.deleted();
});
const conversation = new Conversation({
  persona: page.persona,
  connection: socket,
  memory,
  recalled: (id) => recalled(service, id),
  tell: (id, turn) => tabs.tell(id, turn),
  name: newName,
  page: {
    shown() {
      const path = conversation.tree.path();
      begun(path.length > 0);
      log.show(path, aroundTurn);
      around.conversation(conversation.id, conversation.title);
      keepPlace(conversation.id);
      composer.name(conversation.id);
      dock.show(conversation.id);
      refresh();
    },
    changed(turn) {
      log.view(turn)?.update(aroundTurn(turn));
      refresh();
    },
    grew: (turn, piece) => log.view(turn)?.grow(piece),
    accepted(turn) {
      announcer.begin();
      remember(turn);
    },
    began(turn) {
      around.trouble("");
      if (!isUp()) announcer.tell(t("connecting"));
      else if (turn.id) announcer.begin();
      log.update();
    },
    ended(turn) {
      log.update();
      tell(turn);
      remember(turn);
    },
    connected(isConnected) {
      if (isConnected && isLost) announcer.say(t("back"));
      if (isConnected && conversation.active?.id) announcer.remind();
      isLost = !isConnected;
      refresh();
    },
    unknown() {
      open("", false);
      around.trouble(t("unknown"));
    },
    elsewhere(other) {
      location.replace(addressOf(page.language, other));
    },
  },
});

composer.onsend = (text) => {
  if (!text) {
    announcer.say(t("empty"));
    composer.focus();
    return false;
  }
  if (sending.mustWait()) return false;
  sendNow(text);
  return true;
};
composer.onstop = () => conversation.stop();
composer.onnewest = () => log.focusNewest();
composer.onwrite = () => {
  void loadMarkdown();
  socket.open();
};

function remember(turn: Turn): void {
  dock.remember({
    id: conversation.id,
    persona: page.persona,
    title: conversation.title,
    at: new Date().toISOString(),
    language: page.language,
    said: `${turn.prompt}\n${turn.answer}`,
  });
}

function sendNow(text: string): void {
  around.trouble("");
  previous = "";
  restore.hidden = true;
  conversation.ask(text, material.collect());
  material.clear();
  scrolling.toEnd();
  composer.focus();
}

/** Show another conversation; `enter`: as a step of its own in the browser's history. */
function open(id: string, enter = true): void {
  if (id === conversation.id && id) return;
  around.trouble("");
  keepPlace(id, enter);
  void conversation.open(id);
  sending.release();
  composer.move(id);
  if (id) scrolling.toEnd();
}

/** Whether something was said: before, the page is a welcome. */
function begun(isBegun: boolean): void {
  element("chat", HTMLDivElement).classList.toggle("is-begun", isBegun);
}

/** Whether the service can be reached, as far as this page can tell. */
function isUp(): boolean {
  return socket.isOpen && navigator.onLine;
}

function refresh(): void {
  const waits = conversation.tree.all().some(isOpen);
  composer.busy = conversation.active !== null;
  around.progress(conversation.active, waits, { isLost: isLost || !navigator.onLine, isUp: isUp() });
}

function aroundTurn(turn: Turn): { versions: Versions | null; isBusy: boolean; isNewest: boolean } {
  const all = conversation.tree.versions(turn);
  return {
    versions: all.length > 1 ? { all, at: all.indexOf(turn) } : null,
    isBusy: conversation.isBusy,
    isNewest: turn === conversation.tree.leaf,
  };
}

function versionWords(turn: Turn): { number: number; count: number } {
  const all = conversation.tree.versions(turn);
  return { number: all.indexOf(turn) + 1, count: all.length };
}

/** What is said of a turn that has ended. */
function tell(turn: Turn): void {
  const view = log.view(turn);
  announcer.silence();
  if (turn.phase === "done") {
    const place = view?.text.place;
    void view?.text.settle().then(() => {
      if (conversation.active) return;
      announcer.ready([place?.innerText ?? turn.answer, ...turn.endnotes].join("\n"), place?.lang);
    });
  } else if (turn.phase === "failed") {
    around.trouble(turn.message, true);
  } else {
    announcer.tell(t(turn.phase === "interrupted" ? "interrupted" : turn.stoppedHere ? "stopped" : "stopped_elsewhere"));
  }
}

async function copied(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text); // there is none where the page came by http
    announcer.say(t("copied"));
  } catch {
    around.trouble(t("not_copied"));
  }
}

element("new", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault();
  if (!conversation.tree.isEmpty) previous = conversation.id;
  around.trouble("");
  keepPlace("", true);
  conversation.startAnew();
  sending.release();
  composer.move("");
  restore.hidden = !previous;
  announcer.say(t("new"));
  composer.focus();
});
element("number-copy", HTMLButtonElement).addEventListener("click", () => copied(conversation.id));
restore.addEventListener("click", () => {
  open(previous);
  restore.hidden = true;
  announcer.say(t("restored"));
  composer.focus();
});
for (const name of ["popstate", "hashchange"]) {
  addEventListener(name, () => {
    if (placeOf(location) !== conversation.id) open(placeOf(location), false);
  });
}
for (const name of ["online", "offline"]) addEventListener(name, refresh);
addEventListener("pagehide", () => conversation.leaving());

const session = element("session", HTMLInputElement).value;
const written = composer.text;
const hadPlace = location.hash !== "";
for (const message of document.querySelectorAll(".from-form")) message.remove();
// A reload may be faster than the address: what this tab was at then is what it goes on with.
if (!isAgain()) memory.place = { conversation: "", title: "", leaf: "" };
const id = placeOf(location) || session || memory.place.conversation;
composer.move(id);
if (written) composer.put(written);
begun(id !== "");
void conversation.open(id);
socket.open();
if (id) scrolling.toEnd();
if (matchMedia("(hover: hover) and (pointer: fine)").matches && (!hadPlace || placeOf(location))) composer.focus();

/** Whether this page was left and is come back to, by a reload or a step in the browser's history. */
function isAgain(): boolean {
  const [how] = performance.getEntriesByType("navigation");
  return how instanceof PerformanceNavigationTiming && how.type !== "navigate";
}
