"""Conversations as JSON: what is told of them, and what requests about them may say."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from menagerie.core.errors import remembered
from menagerie.locales import Language
from menagerie.store.conversations import Feedback, Page, Summary, ToldTurn, Tree

LONGEST_TITLE: Final = 200
LONGEST_COMMENT: Final = 2000


class NewTitle(msgspec.Struct, forbid_unknown_fields=True):
    """`PATCH /conversations/{id}`."""

    title: Annotated[str, msgspec.Meta(max_length=LONGEST_TITLE)]


class NewFeedback(msgspec.Struct, forbid_unknown_fields=True):
    """`PUT /conversations/{id}/turns/{turn}/feedback`. An empty value takes back what was said before."""

    value: Literal["good", "bad", ""]
    comment: Annotated[str, msgspec.Meta(max_length=LONGEST_COMMENT)] = ""

    @property
    def feedback(self) -> Feedback | None:
        """What is to be kept."""
        return Feedback(self.value, self.comment.strip()) if self.value else None


def page_object(page: Page, *, kept: bool) -> dict[str, Any]:
    """Part of the list. `kept`: there is a list of this caller's conversations."""
    told = [summary_object(one) for one in page.conversations]
    return {"conversations": told, "next": page.after, "kept": kept}


def summary_object(summary: Summary) -> dict[str, Any]:
    """A conversation in a list."""
    return {**_about(summary), "turns": summary.turns}


def tree_object(tree: Tree, language: Language) -> dict[str, Any]:
    """A conversation with all its branches."""
    told = [_turn_object(turn, language) for turn in tree.turns]
    return {**_about(tree.about), "turns": told, "leaf": tree.leaf, "running": tree.running}


def _about(summary: Summary) -> dict[str, Any]:
    return {
        "id": summary.id,
        "persona": summary.persona,
        "title": summary.title,
        "named": summary.named,
        "language": summary.language,
        "started": _moment(summary.started),
        "last_at": _moment(summary.last_at),
    }


def _turn_object(turn: ToldTurn, language: Language) -> dict[str, Any]:
    return {
        "id": turn.id,
        "parent": turn.parent,
        "session": turn.session,
        "prompt": turn.prompt,
        "language": turn.language,
        "outcome": turn.outcome,
        "code": turn.code,
        "message": remembered(turn.code, language),
        "accepted_at": _moment(turn.accepted_at),
        "answer": turn.answer,
        "provenance": msgspec.Raw(turn.provenance.encode()) if turn.provenance else None,
        "feedback": turn.feedback,
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
