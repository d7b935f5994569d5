import { ServiceError } from "../../client/conversations.ts";
import type { Translate } from "../../client/texts.ts";

/** What a person is told of a failure: the service's own sentence where it gave one. */
export function sentence(error: unknown, t: Translate): string {
  if (error instanceof ServiceError) return error.message || t("history.failed");
  return t(navigator.onLine ? "history.unreachable" : "history.offline");
}
