"""A conversation as JSON, for programs. `docs/conversations.en.md` describes its shape."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from menagerie import __version__
from menagerie.conversation.export.document import Branch
from menagerie.core.errors import remembered
from menagerie.locales import text
from menagerie.store.conversations import ToldTurn

FORMAT: Final = "menagerie.conversation"
VERSION: Final = 1
"""Grows when something is left out or changes its meaning; what is added does not change it."""


def data(branch: Branch) -> bytes:
    """The file: indented JSON in UTF-8."""
    about = branch.about
    told = {
        "format": FORMAT,
        "version": VERSION,
        "notice": text("export.generated", branch.language),
        "exported_at": _moment(branch.at, branch),
        "service": f"menagerie {__version__}",
        "conversation": {
            "id": about.id,
            "persona": about.persona,
            "persona_title": branch.persona,
            "title": about.title,
            "named": about.named,
            "language": about.language,
            "started": _moment(about.started, branch),
            "last_at": _moment(about.last_at, branch),
        },
        "turns": [_turn(turn, branch) for turn in branch.turns],
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def _turn(turn: ToldTurn, branch: Branch) -> dict[str, Any]:
    return {
        "id": turn.id,
        "parent": turn.parent,
        "asked_at": _moment(turn.accepted_at, branch),
        "language": turn.language,
        "prompt": turn.prompt,
        "answer": turn.answer,
        "ai_generated": bool(turn.answer),
        "outcome": turn.outcome,
        "code": turn.code,
        "message": remembered(turn.code, branch.language),
        "feedback": turn.feedback,
        "provenance": msgspec.json.decode(turn.provenance) if turn.provenance else None,
    }


def _moment(moment: datetime, branch: Branch) -> str:
    return moment.astimezone(branch.zone).isoformat(timespec="milliseconds")
