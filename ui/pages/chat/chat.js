/** The chat page: joins the composer to a conversation. */

import { Announcer } from "./announcer.js";
import { Conversation } from "./conversation.js";
import { Log } from "./log.js";
import { Memory } from "./memory.js";
import { PersonaSocket } from "../../client/socket.js";
import { formats, translator } from "../../client/texts.ts";

/**
 * @template {HTMLElement} E
 * @param {string} id
 * @param {new () => E} kind
 * @returns {E} an element that the page has
 */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`#${id} is missing`);
  return found;
}

/** @type {{persona: string, language: string, socket: string, texts: Record<string, string>}} */
const page = JSON.parse(element("chat", HTMLDivElement).dataset["page"] ?? "{}");
const t = translator(page.texts);

const form = element("composer", HTMLFormElement);
const prompt = element("prompt", HTMLTextAreaElement);
const context = element("context", HTMLTextAreaElement);
const contextBox = element("context-box", HTMLDetailsElement);
const send = element("send", HTMLButtonElement);
const stop = element("stop", HTMLButtonElement);
const retry = element("retry", HTMLButtonElement);
const dismiss = element("dismiss", HTMLButtonElement);
const alert = element("alert", HTMLParagraphElement);
const progress = element("progress", HTMLParagraphElement);
const number = element("number", HTMLSpanElement);
const restore = element("restore", HTMLButtonElement);

const log = new Log(element("log", HTMLElement), t, formats(page.language));
const memory = new Memory(page.persona);
const announcer = new Announcer(element("status", HTMLParagraphElement), t);
const conversation = new Conversation({
  socket: new PersonaSocket(page.socket),
  log,
  memory,
  announcer,
  t,
  around: {
    busy(busy) {
      const wasOnStop = document.activeElement === stop;
      stop.hidden = !busy;
      send.hidden = busy;
      if (wasOnStop && !busy) prompt.focus();
    },
    progress(words) {
      progress.textContent = words;
    },
    trouble(words, canRetry) {
      const wasInside = document.activeElement === retry || document.activeElement === dismiss;
      alert.textContent = words;
      retry.hidden = !words || !canRetry;
      dismiss.hidden = !words;
      if (wasInside && !words) prompt.focus();
    },
    number(session) {
      number.textContent = session || t("number.none");
    },
  },
});

function ask() {
  const text = prompt.value.trim();
  if (conversation.busy) return;
  if (!text) {
    announcer.say(t("empty"));
    prompt.focus();
    return;
  }
  conversation.ask(text, context.value.trim());
  prompt.value = "";
  context.value = "";
  contextBox.open = false;
  conversation.transcript.draft = "";
  restore.hidden = true;
  prompt.focus();
}

form.noValidate = true;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    ask();
  } else if (event.key === "ArrowUp" && event.altKey) {
    event.preventDefault();
    log.focusNewest();
  }
});
prompt.addEventListener("input", () => {
  conversation.transcript.draft = prompt.value;
  memory.saveSoon(conversation.transcript);
  if (!conversation.busy) conversation.socket.open();
});
stop.addEventListener("click", () => conversation.stop());
retry.addEventListener("click", () => conversation.retry());
dismiss.addEventListener("click", () => {
  alert.textContent = "";
  retry.hidden = true;
  dismiss.hidden = true;
  prompt.focus();
});
element("new", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault();
  conversation.startAnew();
  restore.hidden = !conversation.previous;
  prompt.focus();
});
restore.addEventListener("click", () => {
  conversation.restore();
  restore.hidden = true;
  prompt.focus();
});
log.onleave = () => prompt.focus();

for (const message of document.querySelectorAll(".from-form")) message.remove();
const kept = memory.load();
conversation.show(kept);
if (kept.draft && !prompt.value) prompt.value = kept.draft;
conversation.socket.open();
if (matchMedia("(hover: hover) and (pointer: fine)").matches && !location.hash) {
  prompt.focus({ preventScroll: true });
}
