/** What every page does once: it applies the settings, opens their dialogue, and shows the government's signature. */

import { applyView } from "../client/view.ts";
import { onPreferences, preferences } from "../client/preferences.ts";

applyView(preferences());
onPreferences(applyView);

const site = document.querySelector<HTMLElement>("header.site");
if (site) {
  // What stays in sight below the header has to know how high that is, in whatever size of text.
  new ResizeObserver(() => document.documentElement.style.setProperty("--site-height", `${site.offsetHeight}px`)).observe(site);
}

const link = document.querySelector<HTMLAnchorElement>("a#settings");
if (link) openHere(link);
if (document.querySelector("gcds-signature")) {
  void import("@gcds-core/components/dist/components/gcds-signature.js").then(({ defineCustomElement }) =>
    defineCustomElement(),
  );
}

/** The link to the page of settings becomes a button that opens them here. Where they cannot be loaded, it leads on. */
function openHere(link: HTMLAnchorElement): void {
  const button = document.createElement("button");
  button.type = "button";
  button.className = link.className;
  button.id = link.id;
  button.setAttribute("aria-haspopup", "dialog");
  button.replaceChildren(...link.childNodes);
  const texts = link.dataset["texts"] ?? "{}";
  button.addEventListener("click", () => {
    import("../parts/settings/settings.ts").then(
      ({ openSettings }) => openSettings(texts),
      () => location.assign(link.href),
    );
  });
  link.replaceWith(button);
}
