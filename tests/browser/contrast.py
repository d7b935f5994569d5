"""The contrast of a text as it is painted, for where axe cannot tell it from the styles."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

from PIL import Image
from playwright.sync_api import FloatRect, Locator

NOTHING_TO_READ = 21.0
"""Of what takes no place: a thin space, an operator that is only heard."""
_FEW = 2
"""Pixels of a colour that make no letter."""


def painted_contrast(element: Locator) -> float:
    """The contrast ratio (WCAG 2.2) between the commonest colour of the element's picture, its background, and the
    colour that differs most from it: the middle of the letters' strokes. Thin strokes have a middle only where the page
    is painted with several pixels to each of its own (`device_scale_factor`)."""
    box = element.bounding_box()
    if box is None or not box["width"] or not box["height"]:
        return NOTHING_TO_READ
    picture = Image.open(io.BytesIO(_picture(element))).convert("RGB")
    (ground, _), *others = Counter(_pixels(picture)).most_common()
    return max((_ratio(ground, colour) for colour, count in others if count > _FEW), default=1.0)


def _picture(element: Locator) -> bytes:
    """As it is on the page. What is out of view or covered is brought to the middle first; only then, for that closes
    menus."""
    left, top, width, height = element.evaluate(
        """element => {
          const box = () => element.getBoundingClientRect();
          const { left, top, right, bottom } = box();
          const points = [[left + 1, top + 1], [right - 1, bottom - 1], [(left + right) / 2, (top + bottom) / 2]];
          const isInView = points.every(([x, y]) => {
            const seen = document.elementFromPoint(x, y);
            return seen && (element.contains(seen) || seen.contains(element));
          });
          if (!isInView) element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
          return [box().left, box().top, box().width, box().height];
        }"""
    )
    clip: FloatRect = {"x": left, "y": top, "width": max(1, width), "height": max(1, height)}
    return element.page.screenshot(animations="disabled", clip=clip)


def _pixels(picture: Image.Image) -> list[tuple[int, int, int]]:
    data = picture.tobytes()
    return list(zip(data[::3], data[1::3], data[2::3], strict=True))


def _ratio(one: Sequence[int], other: Sequence[int]) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Sequence[int]) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
