"""What can go wrong with a model, told with its particulars in the reader's language."""

from __future__ import annotations

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language, text

_STEP = 1000
_UNITS = {"en": ("B", "KB", "MB", "GB", "TB"), "fr": ("o", "Ko", "Mo", "Go", "To")}


class ModelError(MenagerieError):
    """A `MenagerieError` whose message goes on with the particular reason (`models.reason.<reason>`).

    Facts whose name ends in `_bytes` are shown as a size. No fact holds a credential: addresses are given as
    a host at most.
    """

    def __init__(self, code: ErrorCode, reason: str, /, *, model: str, **facts: str | float) -> None:
        super().__init__(code, model=model)
        self.values.update(facts)
        self.reason = reason

    def message(self, language: Language) -> str:
        """The sentence of the code, then that of the reason."""
        shown = {
            name: size_text(value, language)
            if name.endswith("_bytes") and not isinstance(value, str)
            else value
            for name, value in self.values.items()
        }
        return f"{super().message(language)} {text(f'models.reason.{self.reason}', language, **shown)}"

    def __str__(self) -> str:
        return f"{super().__str__()}: {self.reason}"


def size_text(count: float, language: Language) -> str:
    """A number of bytes as people write it: `98.4 MB`, `98,4 Mo`."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS[language]) - 1:
        value, unit = value / _STEP, unit + 1
    number = f"{value:.0f}" if unit == 0 or value >= 100 else f"{value:.1f}"
    if language == "fr":
        number = number.replace(".", ",")
    return f"{number}\N{NO-BREAK SPACE}{_UNITS[language][unit]}"
