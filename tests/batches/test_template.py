"""The prompt of a row: columns between braces, and nothing else."""

from __future__ import annotations

import pytest

from menagerie.batches.failures import BatchError, RowError
from menagerie.batches.template import Template, prompt_of


def test_a_column_between_braces_is_what_the_row_has_there() -> None:
    template = Template("Say {text} {times } times: {{braces}} {n}")
    row = {"text": "{n} «é»", "times ": 3, "n": None}
    assert template.columns == ("text", "times ", "n")
    assert template.fill(row) == "Say {n} «é» 3 times: {braces} "


def test_lists_and_objects_are_json() -> None:
    assert Template("{a} {b}").fill({"a": ["é", 1], "b": {"c": True}}) == '["é",1] {"c":true}'


def test_nothing_is_looked_up_inside_a_value() -> None:
    for name in ("a.__class__", "a[0]", "a!r", "a:>9", "0"):
        template = Template(f"{{{name}}}")
        assert template.columns == (name,)
        with pytest.raises(BatchError) as refused:
            template.check(["a", "b"])
        assert refused.value.reason == "column_unknown"
        assert name in refused.value.message("fr")
        assert "a, b" in refused.value.message("fr")
        assert template.fill({name: "value"}) == "value"


@pytest.mark.parametrize(
    ("source", "at"), [("a { b", 3), ("a } b", 3), ("{}", 1), ("{ }", 1), ("{{{a}", 0), ("{a}}", 4)]
)
def test_a_brace_that_stands_alone_is_told_with_its_place(source: str, at: int) -> None:
    if not at:
        assert Template(source).fill({"a": "x"}) == "{x"
        return
    with pytest.raises(BatchError) as refused:
        Template(source)
    assert refused.value.reason == "template_brace"
    assert str(at) in refused.value.message("en")
    assert "{column}" in refused.value.message("en")


def test_a_row_that_lacks_a_column_is_refused_by_its_name() -> None:
    with pytest.raises(RowError) as refused:
        Template("{text}").fill({"other": 1})
    assert "text" in refused.value.message("en")


def test_without_a_template_the_prompt_is_the_column_of_that_name_or_the_whole_row() -> None:
    assert prompt_of({"id": 1, "prompt": "Hello"}) == "Hello"
    assert prompt_of({"id": 1, "text": "é"}) == '{"id":1,"text":"é"}'
