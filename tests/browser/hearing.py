"""What a screen reader is told without asking: every change of a live region, in order."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Page

_LISTEN: Final = """() => {
  window.heard = [];
  const last = new WeakMap();
  const REGIONS = '[role=status], [role=alert], [role=log], [aria-live]';
  new MutationObserver((changes) => {
    const regions = new Set(changes.map(({ target }) =>
      (target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement)?.closest(REGIONS)));
    for (const region of regions) {
      if (!region || region.ariaLive === 'off') continue;
      const text = region.textContent.replace(/\\s+/g, ' ').trim();
      if (text && text !== last.get(region)) {
        const lang = region.closest('[lang]').lang.slice(0, 2);
        window.heard.push([region.role ?? region.ariaLive, lang, text]);
      }
      last.set(region, text);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
}"""


def listen(page: Page) -> None:
    """From now on, also after a reload, note what is told."""
    page.add_init_script(f"({_LISTEN})()")
    page.evaluate(_LISTEN)


def heard(page: Page) -> list[tuple[str, str]]:
    """What was told: by which kind of region, and what."""
    return [(role, text) for role, _, text in page.evaluate("() => window.heard")]


def heard_in(page: Page) -> list[tuple[str, str]]:
    """What was told, and in which language it is to be spoken."""
    return [(lang, text) for _, lang, text in page.evaluate("() => window.heard")]
