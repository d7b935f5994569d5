"""What the scripted engine says."""

from __future__ import annotations

import re
from typing import Final

SLOW_TOKENS: Final = 2000

PLAIN: Final = (
    "A beaver dam slows the stream, raises the water and keeps the door of the lodge below it.\n\n"
    "Two things matter:\n\n- the dam leaks on purpose,\n- it is mended every night."
)
FRENCH: Final = (
    "Un barrage de castor ralentit le ruisseau, élève l’eau et garde la porte de la hutte sous la surface.\n\n"
    "Deux choses comptent\u00a0:\n\n- le barrage fuit exprès,\n- il est réparé chaque nuit."
)
TABLE: Final = (
    "Dams and what they are made of:\n\n"
    "| Dam | Height (m) | Material |\n|---|---:|---|\n"
    "| Upper | 1.5 | willow |\n| Middle | 2.0 | poplar and mud |\n| Lower | 0.8 | stones |"
)
CODE: Final = (
    "A function that counts the branches of a dam:\n\n"
    "```python\ndef branches(dam: list[str]) -> int:\n"
    '    """How many there are, without the stones."""\n'
    '    return sum(1 for part in dam if part != "stone")\n```\n\n'
    'Call it with `branches(["willow", "stone"])`.'
)
MATHS: Final = (
    "The pressure at the foot of the dam is $p = \\rho g h$, and the force on all of it\n\n"
    "$$F = \\int_0^h \\rho g z\\, w\\, dz = \\tfrac{1}{2} \\rho g w h^2.$$"
)
HOSTILE: Final = (
    "<script>document.title = 'broken in'</script> and <img src=x onerror=\"document.title='broken in'\"> are text "
    "here.\n\n[A link](javascript:document.title='broken%20in') goes nowhere, nor does "
    '<a href="javascript:alert(1)" style="position:fixed;inset:0">this one</a>.\n\n'
    "![A picture](https://tracker.invalid/pixel.png)\n\n"
    '<style>body { display: none }</style> <iframe src="https://tracker.invalid"></iframe> '
    "[data](data:text/html,<script>alert(1)</script>) </div></article></main>\n\n"
    "A formula that grows: $\\def\\a{" + "x" * 200 + "}" + "\\a" * 80 + "$ and one that does not: $x^{2}$."
)
LONG: Final = "\n\n".join(
    f"Section {number}. The beavers of lodge {number} cut {number * 3} trees, dragged them to the stream and wove them "
    "into a wall that holds back the melt water until the middle of the summer."
    for number in range(1, 41)
)

_SENTENCES: Final = (
    "The stream runs slowly behind the dam. ",
    "Every night the beavers look for leaks and stop them with mud. ",
    "- Willow, poplar and alder are cut first.\n",
    "**Young ones** stay with their parents for two winters.\n\n",
    "`mud` and stones hold the branches together. ",
    "In winter they eat the bark of what they sank in the autumn.\n\n",
)


def tokens_of(text: str) -> list[str]:
    """`text` in pieces as a tokenizer would cut it: a word with the blank before it, a sign, an end of line."""
    return re.findall(r"\s?\w{1,7}|\s?[^\w\s]|\s", text)


def _of_so_many_tokens(count: int) -> str:
    text, number = "", 0
    while len(tokens_of(text)) < count:
        text += f"{number}. " if number and number % 25 == 0 else ""
        text += _SENTENCES[number % len(_SENTENCES)]
        number += 1
    return "".join(tokens_of(text)[:count])


SLOW: Final = _of_so_many_tokens(SLOW_TOKENS)

COUNTED: Final = "\n\n".join(
    " ".join(f"w{number:03d}" for number in range(first, first + 20)) for first in range(1, 601, 20)
)
"""Six hundred numbered words: a gap or a repeat shows, and no sign of it means anything in Markdown."""
CITING: Final = (
    "Every beaver has twenty days of leave in a year [1]. Five of them go over to the next one [1]."
)

ANSWERS: Final = {
    "count": COUNTED,
    "leave": CITING,
    "table": TABLE,
    "code": CODE,
    "maths": MATHS,
    "hostile": HOSTILE,
    "long": LONG,
    "french": FRENCH,
    "français": FRENCH,
    "slow": SLOW,
}
"""By a word in the prompt; several follow one another."""

LONG_PAGE: Final = """<!doctype html><html lang="en"><head><title>Leave at the lodge</title></head><body><main>
<h1>Leave at the lodge</h1><h2>Annual leave</h2><p>Every beaver has twenty days of leave in a year, and may carry
five of them over to the next one. The days are asked for before the ice is safe to walk on.</p>
<h2>Sick leave</h2><p>A beaver who is ill stays in the lodge. After three days a note of the heron is asked for.</p>
</main></body></html>"""
