/** The account of an answer, as rows of a description list. */

/** @import { Translate } from "../../client/texts.ts" */

/**
 * @param {Record<string, any>} account the provenance of a `done` event
 * @param {Translate} t
 * @param {ReturnType<typeof import("../../client/texts.ts").formats>} format
 * @returns {[string, string][]} name and value of each fact that there is
 */
export function facts(account, t, format) {
  const model = account.model ?? {};
  const timings = account.timings ?? {};
  const queued = timings.queued_ms ?? 0;
  const first = timings.first_token_ms ?? 0;
  const total = timings.total_ms ?? 0;
  const written = account.answer_tokens ?? 0;
  const speed = total > first && written > 1 ? (written - 1) / ((total - first) / 1000) : 0;
  /** @type {[string, string][]} */
  const rows = [
    ["model", model.name],
    ["wanted", account.wanted_model],
    ["quantization", model.quantization],
    ["parameters", model.parameters],
    ["licence", model.licence],
    ["file", model.file],
    ["sha256", model.sha256],
    ["source", model.source],
    ["persona", account.persona],
    ["started", account.started ? format.moment(account.started) : ""],
    [
      "tokens",
      t("about.tokens_value", {
        prompt: format.number(account.prompt_tokens ?? 0),
        cached: format.number(account.cached_tokens ?? 0),
        answer: format.number(written),
      }),
    ],
    [
      "timings",
      t("about.timings_value", {
        queued: format.seconds(queued),
        first: format.seconds(first),
        total: format.seconds(total),
      }),
    ],
    ["speed", speed ? t("about.speed_value", { rate: format.number(speed, 1) }) : ""],
    ["dropped", account.dropped_messages ? format.number(account.dropped_messages) : ""],
    ["schema", account.schema ? schemaLine(account.schema, t) : ""],
    ["service", account.service],
  ];
  return rows.filter(([, value]) => value).map(([name, value]) => [t(`about.${name}`), value]);
}

/**
 * @param {Record<string, any>} schema how a structured answer was held to its schema
 * @param {Translate} t
 */
function schemaLine(schema, t) {
  const verified = (schema.verified ?? []).join(", ");
  const parts = [
    verified ? t("about.schema_verified", { keywords: verified }) : t("about.schema_guaranteed"),
    (schema.attempts ?? 1) > 1 ? t("about.schema_attempts", { attempts: schema.attempts }) : "",
    schema.repaired ? t("about.schema_repaired") : "",
    schema.closed ? t("about.schema_closed") : "",
  ];
  return parts.filter(Boolean).join("; ");
}
