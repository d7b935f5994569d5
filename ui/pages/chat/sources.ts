/** The list of what an answer rests on: each source with its number, where it stands, and its passage. */

import { html, nothing, type TemplateResult } from "lit";

import type { SourceFacts } from "../../client/events.ts";
import type { Formats, Translate } from "../../client/texts.ts";

const GIVEN = new Set(["context", "content", "text"]);
const JOINER = " › ";

/** Sources in order of their numbers. */
export function sourceList(sources: readonly SourceFacts[], t: Translate, format: Formats): TemplateResult {
  const inOrder = [...sources].sort((one, other) => one.number - other.number);
  return html`<h3>${t("sources.heading")}</h3>
    <ul role="list">
      ${inOrder.map(
        (source) => html`<li data-number=${source.number}>
          <span class="source-number">[${source.number}]</span> ${GIVEN.has(source.kind) ? given(source, t, format) : found(source, t, format)}
        </li>`,
      )}
    </ul>`;
}

function given({ characters }: SourceFacts, t: Translate, format: Formats): string {
  const length = characters ? t("sources.characters", { characters: format.number(characters) }) : "";
  return [t("sources.given"), length].filter(Boolean).join(", ");
}

function found(source: SourceFacts, t: Translate, format: Formats): TemplateResult {
  const called = [source.title, below(source)].filter(Boolean).join(", ");
  const lang = source.language ? `${source.language}-CA` : nothing;
  return html`${called ? html`<span lang=${lang}>${called}</span>` : t("sources.untitled")}${source.page
    ? `, ${t("sources.page", { page: source.page })}`
    : nothing}
  ${source.address ? html`<p class="source-address">${link(source.address)}</p>` : nothing}
  ${source.read ? html`<p>${t("sources.read", { when: format.moment(source.read) })}</p>` : nothing}
  ${source.passage
    ? html`<details>
        <summary>${t("sources.passage", { number: source.number })}</summary>
        <blockquote lang=${lang} .textContent=${source.passage}></blockquote>
      </details>`
    : nothing}`;
}

/** The headings above a passage, less the one that is the title. */
function below({ title = "", heading = "" }: SourceFacts): string {
  const headings = heading.split(JOINER);
  if (headings[0]?.toLowerCase() === title.toLowerCase()) headings.shift();
  return headings.join(JOINER);
}

/** A link, where the address is one of the web; else its text. */
function link(address: string): TemplateResult | string {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !["http:", "https:"].includes(url.protocol)) return address;
  return html`<a href=${url.href} rel="noopener noreferrer nofollow">${address}</a>`;
}
