import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { addressOf, ConversationService, isUnknown, ServiceError, UnreachableError } from "./conversations.ts";

const asked: string[] = [];
let outlives = false;
let answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => response.end("{}");
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  answer(request, response);
});
const browsersFetch = globalThis.fetch;

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  // In a page, an address without a host is the page's own.
  globalThis.fetch = (path, init) => {
    outlives = init?.keepalive ?? false;
    return browsersFetch(`http://127.0.0.1:${port}${String(path)}`, init);
  };
});

after(() => {
  globalThis.fetch = browsersFetch;
  server.closeAllConnections();
  server.close();
});

const service = new ConversationService("fr");

test("ids and words are never taken for parts of an address", async () => {
  await service.get("a/../b?c#d");
  await service.list({ words: "dams & more", before: "x y" });
  await service.rate("a/b", "c/d", { value: "good", comment: "Très bien" });
  assert.deepEqual(asked.splice(0), [
    "GET /conversations/a%2F..%2Fb%3Fc%23d?lang=fr",
    "GET /conversations?q=dams+%26+more&before=x+y&lang=fr",
    "PUT /conversations/a%2Fb/turns/c%2Fd/feedback?lang=fr",
  ]);
  assert.equal(addressOf("fr", { persona: "a/b", id: "urn:1" }), "/fr/chat/a%2Fb#c=urn%3A1");
});

test("what is no conversation is not listed", async () => {
  const good = { id: "a", persona: "owl", title: "", named: false, language: "", started: "", last_at: "", turns: 0 };
  const conversations = [good, { ...good, id: "" }, { ...good, title: null }, null, "a"];
  answer = (_request, response) => response.end(JSON.stringify({ conversations, next: "n", kept: true }));
  assert.deepEqual(await service.list(), { conversations: [good], next: "n", kept: true });
});

test("what is deleted or judged is so even where the page is left; what is only looked at is not waited for", async () => {
  answer = (_request, response) => response.end("{}");
  await service.delete("a");
  assert.ok(outlives);
  await service.get("a");
  assert.ok(!outlives);
  await service.rate("a", "b", { value: "bad", comment: "" });
  assert.ok(outlives);
});

test("an error has the code and the sentence of the service", async () => {
  answer = (_request, response) => {
    response.statusCode = 404;
    response.end(JSON.stringify({ error: { code: "session.unknown", message: "Inconnue." } }));
  };
  await assert.rejects(service.delete("a"), (error) => {
    assert.ok(error instanceof ServiceError && isUnknown(error));
    assert.deepEqual([error.code, error.message], ["session.unknown", "Inconnue."]);
    return true;
  });
});

test("an error that is not the service's own has no sentence", async () => {
  answer = (_request, response) => {
    response.statusCode = 502;
    response.end("<h1>Bad gateway</h1>");
  };
  await assert.rejects(service.rename("a", "b"), { name: "ServiceError", status: 502, message: "" });
});

test("no answer is told apart from a refusal, and from nobody waiting any more", async () => {
  answer = (request) => request.socket.destroy();
  await assert.rejects(service.list(), UnreachableError);
  answer = () => undefined;
  const left = new AbortController();
  const waiting = service.list({}, left.signal);
  left.abort();
  await assert.rejects(waiting, { name: "AbortError" });
});

test("a file has the name that the service gives it, and none that leads elsewhere", async () => {
  let name = "owl-2026-11-26.md";
  answer = (_request, response) => {
    response.setHeader("Content-Disposition", `attachment; filename="${name}"`);
    response.end("# Owl");
  };
  const file = await service.export("a", "md", "turn-1");
  assert.deepEqual([file.name, await file.content.text()], ["owl-2026-11-26.md", "# Owl"]);
  name = "../../owl.md";
  assert.equal((await service.export("a", "md")).name, "conversation.md");
});
