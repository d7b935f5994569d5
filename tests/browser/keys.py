"""The keyboard alone: nothing is clicked, and what has the focus can be seen."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

MOST = 80


def tab_to(target: Locator, *, back: bool = False) -> None:
    """Press Tab until `target` has the focus. It must come within one round of the page."""
    page = target.page
    on_the_way: list[str] = []
    for _ in range(MOST):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if target.count() == 1 and target.evaluate("element => element.matches(':focus')"):
            assert is_seen(page), f"the focus on {target} is covered or out of view"
            return
        on_the_way.append(
            page.evaluate("() => document.activeElement?.textContent.trim().slice(0, 40) ?? ''")
        )
    raise AssertionError(f"Tab never came to {target}: {on_the_way}")


def press(target: Locator, key: str = "Enter", *, back: bool = False) -> None:
    """Come to `target` by Tab and press a key on it."""
    tab_to(target, back=back)
    target.page.keyboard.press(key)


def is_seen(page: Page) -> bool:
    """Whether what has the focus is in view, shown as focused, and not wholly covered (WCAG 2.4.7, 2.4.11)."""
    seen: bool = page.evaluate(
        """() => {
          let focused = document.activeElement;
          while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
          const { left, top, right, bottom } = focused.getBoundingClientRect();
          const points = [[left + 3, top + 3], [right - 3, top + 3], [left + 3, bottom - 3], [right - 3, bottom - 3],
            [(left + right) / 2, (top + bottom) / 2]];
          return points.some(([x, y]) => {
            let on_top = document.elementFromPoint(x, y);
            while (on_top?.shadowRoot?.elementFromPoint(x, y) && on_top.shadowRoot.elementFromPoint(x, y) !== on_top) {
              on_top = on_top.shadowRoot.elementFromPoint(x, y);
            }
            return on_top && (focused.contains(on_top) || on_top.contains(focused)
              || [...(focused.labels ?? [])].some((label) => label.contains(on_top)));
          });
        }"""
    )
    return seen


def focused(target: Locator) -> None:
    """Until `target` has the focus, and is seen."""
    expect(target).to_be_focused()
    assert is_seen(target.page), f"the focus on {target} is covered or out of view"
