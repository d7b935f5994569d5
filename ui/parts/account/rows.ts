/** What there is to tell of an answer, as rows of a description list. Pure. */

import type { CitationFacts, Provenance, SchemaFacts } from "../../client/events.ts";
import type { Formats, Translate } from "../../client/texts.ts";
import { tally } from "../sources/verdicts.ts";

export interface Row {
  readonly name: string;
  readonly value: string;
  /** Whether it is there to be copied: it shows shortened where there is little room. */
  readonly copied?: boolean;
  readonly language?: string;
}

/** The rows that there is something to say for, in the order in which people ask for them. */
export function rowsOf(account: Provenance, conversation: string, t: Translate, format: Formats): Row[] {
  const { model, timings = {} } = account;
  const seconds = (value: number | undefined): string => (value ? format.seconds(value) : "");
  const sources = account.sources ?? [];
  const rows: Row[] = [
    { name: t("about.model"), value: model.name ?? "" },
    { name: t("about.wanted"), value: account.wanted_model ?? "" },
    { name: t("about.quantization"), value: model.quantization ?? "" },
    { name: t("about.parameters"), value: model.parameters ?? "" },
    { name: t("about.licence"), value: model.licence ?? "" },
    { name: t("about.file"), value: model.file ?? "" },
    { name: t("about.sha256"), value: model.sha256 ?? "", copied: true },
    { name: t("about.source"), value: model.source ?? "" },
    { name: t("about.persona"), value: account.persona },
    { name: t("about.started"), value: account.started ? format.moment(account.started) : "" },
    { name: t("about.finish"), value: finish(account.finish ?? "stop", t) },
    { name: t("about.sources"), value: format.number(sources.length) },
    { name: t("about.citations"), value: citations(account.citations ?? [], t, format) },
    { name: t("about.queued"), value: seconds(timings.queued_ms) },
    { name: t("about.looking"), value: seconds(timings.grounding_ms) },
    { name: t("about.first"), value: seconds(timings.first_token_ms) },
    { name: t("about.total"), value: seconds(timings.total_ms) },
    { name: t("about.speed"), value: speed(account, t, format) },
    { name: t("about.tokens"), value: tokens(account, t, format) },
    {
      name: t("about.dropped"),
      value: account.dropped_messages ? format.number(account.dropped_messages) : "",
    },
    { name: t("about.schema"), value: account.schema ? schema(account.schema, t) : "" },
    { name: t("about.service"), value: account.service },
    { name: t("about.conversation"), value: conversation, copied: true },
  ];
  return rows.filter((row) => row.value);
}

function finish(how: string, t: Translate): string {
  if (how === "length") return t("about.finish.length");
  return how === "stop" ? t("about.finish.stop") : "";
}

function citations(cited: readonly CitationFacts[], t: Translate, format: Formats): string {
  const counts = tally(cited);
  return [
    counts.supported ? t("about.citations.supported", { count: format.number(counts.supported) }) : "",
    counts.unsupported ? t("about.citations.unsupported", { count: format.number(counts.unsupported) }) : "",
    counts.unknown ? t("about.citations.unknown", { count: format.number(counts.unknown) }) : "",
  ]
    .filter(Boolean)
    .join("; ");
}

/** Tokens a second, from the first one on. */
function speed({ timings = {}, answer_tokens = 0 }: Provenance, t: Translate, format: Formats): string {
  const writing = (timings.total_ms ?? 0) - (timings.first_token_ms ?? 0);
  if (writing <= 0 || answer_tokens < 2) return "";
  return t("about.speed_value", { rate: format.number((answer_tokens - 1) / (writing / 1000), 1) });
}

function tokens(account: Provenance, t: Translate, format: Formats): string {
  return t("about.tokens_value", {
    prompt: format.number(account.prompt_tokens ?? 0),
    cached: format.number(account.cached_tokens ?? 0),
    answer: format.number(account.answer_tokens ?? 0),
  });
}

function schema(facts: SchemaFacts, t: Translate): string {
  const verified = (facts.verified ?? []).join(", ");
  return [
    verified ? t("about.schema_verified", { keywords: verified }) : t("about.schema_guaranteed"),
    (facts.attempts ?? 1) > 1 ? t("about.schema_attempts", { attempts: facts.attempts ?? 1 }) : "",
    facts.repaired ? t("about.schema_repaired") : "",
    facts.closed ? t("about.schema_closed") : "",
  ]
    .filter(Boolean)
    .join("; ");
}
