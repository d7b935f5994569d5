"""Draw the icons that launchers ask for, from our own mark, into `src/menagerie/web/static`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

STATIC: Final = Path(__file__).resolve().parent.parent / "src" / "menagerie" / "web" / "static"
GROUND: Final = "#24568f"
MARK: Final = "#ffffff"
FINER: Final = 8
"""Each picture is drawn this many times larger, then made smaller: smooth edges."""

Point = tuple[float, float]


def _curve(start: Point, one: Point, two: Point, end: Point, steps: int = 48) -> list[Point]:
    """Points of a cubic Bézier curve."""
    found: list[Point] = []
    for step in range(1, steps + 1):
        t = step / steps
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        along = [
            sum(w * p[axis] for w, p in zip(weights, (start, one, two, end), strict=True)) for axis in (0, 1)
        ]
        found.append((along[0], along[1]))
    return found


HEAD: Final[list[Point]] = [
    (4, 3.5),
    (12, 8),
    (20, 8),
    (28, 3.5),
    (28, 16.7),
    *_curve((28, 16.7), (28, 23.5), (22.6, 28.5), (16, 28.5)),
    *_curve((16, 28.5), (9.4, 28.5), (4, 23.5), (4, 16.7)),
]
"""The outline of `mark.svg`, whose picture is 32 units wide."""
BEAK: Final[list[Point]] = [(13.6, 21.2), (18.4, 21.2), (16, 24)]
EYES: Final[tuple[Point, ...]] = ((11, 16), (21, 16))
EYE: Final = 2.1


def drawn(size: int, share: float, corner: float) -> Image.Image:
    """The mark over `share` of a ground whose corners are round by `corner` of its width; `size` in pixels."""
    whole = size * FINER
    picture = Image.new("RGBA", (whole, whole), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle((0, 0, whole - 1, whole - 1), radius=corner * whole, fill=GROUND)
    unit = whole * share / 32

    def placed(points: list[Point]) -> list[Point]:
        return [(whole / 2 + (x - 16) * unit, whole / 2 + (y - 16) * unit) for x, y in points]

    pen.polygon(placed(HEAD), fill=MARK)
    pen.polygon(placed(BEAK), fill=GROUND)
    for x, y in EYES:
        pen.ellipse(placed([(x - EYE, y - EYE), (x + EYE, y + EYE)]), fill=GROUND)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def main() -> None:
    """Write every icon."""
    for name, size, share, corner in (
        ("icon-192", 192, 0.72, 0.22),
        ("icon-512", 512, 0.72, 0.22),
        ("icon-maskable-512", 512, 0.54, 0.0),
        ("icon-180", 180, 0.66, 0.0),
    ):
        picture = drawn(size, share, corner).quantize(64, method=Image.Quantize.FASTOCTREE)
        picture.save(STATIC / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
