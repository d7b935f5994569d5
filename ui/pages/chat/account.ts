/** The account of an answer, as rows of a description list. */

import type { Provenance, SchemaFacts } from "../../client/events.ts";
import type { Formats, LiveKey, Translate } from "../../client/texts.ts";

/** Name and value of each fact that there is. */
export function facts(account: Provenance, t: Translate, format: Formats): [string, string][] {
  const { model, timings = {} } = account;
  const first = timings.first_token_ms ?? 0;
  const total = timings.total_ms ?? 0;
  const written = account.answer_tokens ?? 0;
  const speed = total > first && written > 1 ? (written - 1) / ((total - first) / 1000) : 0;
  const rows: [LiveKey, string | undefined][] = [
    ["about.model", model.name],
    ["about.wanted", account.wanted_model],
    ["about.quantization", model["quantization"]],
    ["about.parameters", model["parameters"]],
    ["about.licence", model["licence"]],
    ["about.file", model["file"]],
    ["about.sha256", model["sha256"]],
    ["about.source", model["source"]],
    ["about.persona", account.persona],
    ["about.started", account.started ? format.moment(account.started) : ""],
    [
      "about.tokens",
      t("about.tokens_value", {
        prompt: format.number(account.prompt_tokens ?? 0),
        cached: format.number(account.cached_tokens ?? 0),
        answer: format.number(written),
      }),
    ],
    [
      "about.timings",
      t("about.timings_value", {
        queued: format.seconds(timings.queued_ms ?? 0),
        first: format.seconds(first),
        total: format.seconds(total),
      }),
    ],
    ["about.speed", speed ? t("about.speed_value", { rate: format.number(speed, 1) }) : ""],
    ["about.dropped", account.dropped_messages ? format.number(account.dropped_messages) : ""],
    ["about.schema", account.schema ? schemaLine(account.schema, t) : ""],
    ["about.service", account.service],
  ];
  return rows.flatMap(([name, value]) => (value ? [[t(name), value]] : []));
}

function schemaLine(schema: SchemaFacts, t: Translate): string {
  const verified = (schema.verified ?? []).join(", ");
  const parts = [
    verified ? t("about.schema_verified", { keywords: verified }) : t("about.schema_guaranteed"),
    (schema.attempts ?? 1) > 1 ? t("about.schema_attempts", { attempts: schema.attempts ?? 1 }) : "",
    schema.repaired ? t("about.schema_repaired") : "",
    schema.closed ? t("about.schema_closed") : "",
  ];
  return parts.filter(Boolean).join("; ");
}
