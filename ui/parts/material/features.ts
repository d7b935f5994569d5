/** What a persona's page offers beside the prompt, as the server tells it (`menagerie.web.material`). */

export interface Collection {
  readonly name: string;
  readonly title: string;
}

export interface Limits {
  /** Bytes of one document. */
  readonly document: number;
  /** Bytes of one picture, as it is sent. */
  readonly picture: number;
  /** Bytes of everything that is written into one message. */
  readonly text: number;
  readonly documents: number;
  readonly pictures: number;
  readonly places: number;
  /** Days for which a document is kept. */
  readonly days: number;
}

export interface Features {
  readonly custom: boolean;
  readonly clipboard: boolean;
  readonly files: boolean;
  readonly pictures: boolean;
  readonly wikipedia: boolean;
  readonly sites: readonly string[];
  readonly facts: readonly Collection[];
  readonly feeds: boolean;
  /** What is on when the page opens: `custom`, `clipboard`, and places such as `wikipedia.org`. */
  readonly chosen: readonly string[];
  /** The model that answers: named where it does not see pictures. */
  readonly model: string;
  /** Endings of the documents that are read, without dots. */
  readonly kinds: readonly string[];
  readonly limits: Limits;
  readonly dictation: "browser" | "off";
}

export const NOTHING: Features = {
  custom: false,
  clipboard: false,
  files: false,
  pictures: false,
  wikipedia: false,
  sites: [],
  facts: [],
  feeds: false,
  chosen: [],
  model: "",
  kinds: [],
  limits: { document: 0, picture: 0, text: 0, documents: 0, pictures: 0, places: 0, days: 0 },
  dictation: "off",
};

export const WIKIPEDIA = "wikipedia.org";
export const FEEDS = "feeds";

/** Everywhere that may be looked in, as the socket's `sources` name it. */
export function placesOf(features: Features): string[] {
  return [
    ...(features.wikipedia ? [WIKIPEDIA] : []),
    ...features.sites,
    ...features.facts.map((one) => `facts:${one.name}`),
    ...(features.feeds ? [FEEDS] : []),
  ];
}

/** Whether anything at all is offered. */
export function offersAnything(features: Features): boolean {
  return (
    features.custom || features.clipboard || features.files || features.pictures || placesOf(features).length > 0
  );
}
