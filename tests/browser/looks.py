"""How people set their screens, and what axe finds on a page that is looked at so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import CDPSession, Page

from tests.browser.contrast import painted_contrast

WIDE: Final = {"width": 1280, "height": 800}
NARROW: Final = {"width": 320, "height": 640}

SETTLED: Final = """() => new Promise((resolve) => {
  let height = -1, same = 0;
  const look = () => {
    const now = document.documentElement.scrollHeight + scrollY;
    same = now === height ? same + 1 : 0;
    height = now;
    if (same < 5) requestAnimationFrame(look); else resolve();
  };
  look();
})"""
"""Until nothing has moved for five frames: what observes sizes has answered the new one."""

Look = Callable[[Page, CDPSession], None]


def _look(size: dict[str, int] = WIDE, letters: int = 16, **media: Any) -> Look:
    def set_up(page: Page, devtools: CDPSession) -> None:
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.emulate_media(
            **{"color_scheme": "light", "forced_colors": "none", "reduced_motion": "reduce", **media}
        )
        devtools.send("Page.setFontSizes", {"fontSizes": {"standard": letters, "fixed": letters * 13 // 16}})
        page.evaluate(SETTLED)

    return set_up


LOOKS: Final[dict[str, Look]] = {
    "light": _look(),
    "dark": _look(color_scheme="dark"),
    "forced colours": _look(forced_colors="active"),
    "320 pixels": _look(NARROW),
    "letters twice as large": _look(letters=32),
}

UNDECIDED: Final[dict[str, str]] = {}
"""Rules that axe leaves open, and why what they ask about is right. Contrasts are not among them: what it cannot tell
from the styles is measured on the picture."""

RUN: Final = """async () => {
  for (const one of document.querySelectorAll('[data-undecided]')) one.removeAttribute('data-undecided');
  const found = await axe.run(document, {
    resultTypes: ['violations', 'incomplete'], preload: false, elementRef: true });
  const told = (kind, rules) => rules.flatMap((rule) => rule.nodes.map((node) => ({ kind, rule, node })));
  return [...told('violation', found.violations), ...told('undecided', found.incomplete)].map(
    ({ kind, rule, node }, number) => {
      const checks = [...node.any, ...node.all, ...node.none];
      if (kind === 'undecided') node.element?.setAttribute('data-undecided', number);
      return { kind, number, rule: rule.id, target: JSON.stringify(node.target),
        why: checks.map((check) => check.message).join(' '),
        needed: checks.map((check) => check.data?.expectedContrastRatio).find(Boolean) ?? '' };
    });
}"""


def found_by_axe(page: Page) -> list[str]:
    """The violations, and what is undecided, is not in the table and does not pass a look of our own."""
    return [
        f"{node['rule']}: {node['why']} {node['target']}"
        for node in page.evaluate(RUN)
        if node["kind"] == "violation"
        or not (node["rule"] in UNDECIDED or (node["rule"] == "color-contrast" and _is_readable(page, node)))
    ]


def _is_readable(page: Page, node: dict[str, Any]) -> bool:
    """Whether a text that axe is not sure of has enough contrast as it is painted."""
    element = page.locator(f"[data-undecided='{node['number']}']")
    needed = float(str(node["needed"] or "4.5").removesuffix(":1"))
    seen = painted_contrast(element)
    for _ in range(2):
        if seen < needed:  # the page may have moved between the measure and the picture
            page.evaluate(SETTLED)
            seen = max(seen, painted_contrast(element))
    node["why"] += f" Painted: {seen:.1f}:1."
    return seen >= needed
