/** What a person is told of the list. */

import { ServiceError } from "../../client/conversations.ts";
import type { Translate } from "../../client/texts.ts";
import type { Listing } from "./listing.ts";

/** What a failure was: the service's own sentence where it gave one. */
export function sentence(error: unknown, t: Translate): string {
  if (error instanceof ServiceError) return error.message || t("history.failed");
  return t(navigator.onLine ? "history.unreachable" : "history.offline");
}

/** How much a search has found. */
export function foundInWords(listing: Listing, t: Translate): string {
  const { shown, next } = listing;
  if (shown.length === 0) return next ? t("history.found.none_yet") : nothingInWords(listing, t);
  if (next) return t("history.found.many", { count: shown.length });
  return shown.length === 1 ? t("history.found.one") : t("history.found.some", { count: shown.length });
}

/** That there is nothing, and why. */
export function nothingInWords({ wanted }: Listing, t: Translate): string {
  if (wanted.words) return t("history.found.none");
  return t(wanted.persona ? "history.found.none_persona" : "history.empty");
}
