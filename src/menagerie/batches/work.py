"""What a batch asks of a persona for each row, what it makes of the answer, and the lines that tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from menagerie.batches.failures import AnswerError
from menagerie.batches.rows import Row, Table
from menagerie.batches.template import Template, prompt_of
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language

if TYPE_CHECKING:
    from menagerie.structured.schema import CompiledSchema

CUT: Final = "length"
"""How an answer has ended that was cut off at the longest length allowed."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A batch for one persona. Without `compiled`, answers are text; `template` None: see `prompt_of`; `keep`: the
    columns of a row stand beside its answer."""

    persona: str
    language: Language
    template: Template | None = None
    schema: Any = None
    compiled: CompiledSchema | None = None
    keep: bool = False

    def prompt(self, row: Row) -> str:
        """What is asked for a row. Raises `MenagerieError` where there is nothing to ask."""
        prompt = self.template.fill(row.values) if self.template else prompt_of(row.values)
        if not prompt.strip():
            raise MenagerieError(ErrorCode.PROMPT_EMPTY)
        return prompt

    def answer_line(self, row: Row, answer: str, finish: str = "") -> bytes:
        """The line of an answer that has come whole, once it is verified: `{"row", "input"?, "answer", "cut"?}`.

        Raises `MenagerieError` where the answer is empty or does not meet the schema.
        """
        value: object = answer
        if self.compiled is not None:
            value = verified(answer, self.compiled)
        elif not answer.strip():
            raise MenagerieError(ErrorCode.ANSWER_EMPTY)
        line: dict[str, object] = {"row": row.number}
        if self.keep:
            line["input"] = row.values
        line["answer"] = value
        if finish == CUT and self.compiled is None:
            line["cut"] = True
        return msgspec.json.encode(line)


def failure_line(row: Row, failure: AnswerError) -> bytes:
    """The line of a row that has failed: `{"row", "input", "error": {"code", "message"}}`; the input is the row's
    columns, or the text that could not be read as such."""
    given: object = row.values if row.problem is None else row.source
    error = {"code": failure.code, "message": failure.message}
    return msgspec.json.encode({"row": row.number, "input": given, "error": error})


def job_of(work: Work, table: Table, prompt: str | None) -> bytes:
    """What tells this batch from any other, as JSON: the content of its rows, and all that shapes an answer."""
    return msgspec.json.encode(
        {
            "rows": table.digest,
            "persona": work.persona,
            "language": work.language,
            "prompt": prompt,
            "schema": work.schema,
            "keep": work.keep,
        }
    )


def verified(answer: str, compiled: CompiledSchema) -> msgspec.Raw:
    """The answer, once it has been held to its schema. Raises `schema.not_met`."""
    from menagerie.structured.verification import SchemaViolation

    try:
        compiled.verify(answer)
    except SchemaViolation as violation:
        raise MenagerieError(
            ErrorCode.SCHEMA_NOT_MET, keyword=violation.keyword, path=violation.path
        ) from violation
    return msgspec.Raw(_on_one_line(answer))


def _on_one_line(answer: str) -> bytes:
    """The same JSON without line ends, which only stand between its tokens."""
    return msgspec.json.format(answer.encode(), indent=-1)
