"""Rows: of three kinds of files, one after another, and one that is broken costs only itself."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from menagerie.batches.failures import BatchError
from menagerie.batches.rows import LONGEST_ROW, Row, open_table


def _read(path: Path, content: bytes) -> list[Row]:
    path.write_bytes(content)
    table = open_table(path)
    rows = list(table.rows())
    assert table.count == len(rows)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    return rows


def _reason(row: Row) -> str:
    return row.problem.reason if row.problem else ""


def test_a_line_of_jsonl_is_a_row_and_blank_lines_are_none(tmp_path: Path) -> None:
    content = '\ufeff{"a": 1, "é": "x\\ny"}\r\n\n   \n{"a": null}'.encode()
    assert [row.values for row in _read(tmp_path / "r.jsonl", content)] == [
        {"a": 1, "é": "x\ny"},
        {"a": None},
    ]


def test_a_broken_line_is_a_row_with_a_problem_between_rows_that_have_none(tmp_path: Path) -> None:
    content = b'{"a": 1}\n{"a": \n[1]\n{"a": "\xff"}\n{"a": 2}\n'
    rows = _read(tmp_path / "r.jsonl", content)
    assert [_reason(row) for row in rows] == ["", "json", "object", "json", ""]
    assert rows[1].source == '{"a": '


def test_a_line_that_never_ends_is_not_read_into_memory_and_the_next_one_is_read(tmp_path: Path) -> None:
    content = b'{"a": "' + b"x" * (5 * LONGEST_ROW) + b'"}\n{"a": 2}\n'
    rows = _read(tmp_path / "r.jsonl", content)
    assert [_reason(row) for row in rows] == ["too_long", ""]
    assert len(rows[0].source) < 5000


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_csv_is_cut_where_its_header_is(tmp_path: Path, delimiter: str) -> None:
    lines = [["name", "text, or; more"], ["a", "x"], ["b", "y"]]
    content = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines).encode()
    assert [row.values for row in _read(tmp_path / "r.csv", content)] == [
        {"name": "a", "text, or; more": "x"},
        {"name": "b", "text, or; more": "y"},
    ]


def test_a_quoted_field_may_have_lines_quotes_and_delimiters(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfid,text\r\n1,"two\r\nlines, and ""quotes"""\r\n2,plain\r\n'
    assert [row.values for row in _read(tmp_path / "r.csv", content)] == [
        {"id": "1", "text": 'two\r\nlines, and "quotes"'},
        {"id": "2", "text": "plain"},
    ]


def test_a_csv_of_one_column_is_one(tmp_path: Path) -> None:
    assert [row.values for row in _read(tmp_path / "r.csv", b'text\nhello\n"x, y"\n')] == [
        {"text": "hello"},
        {"text": "x, y"},
    ]


@pytest.mark.parametrize(
    ("encoding", "known"), [("cp1252", "cp1252"), ("utf-16", "utf-16"), ("utf-8", "utf-8-sig")]
)
def test_a_csv_is_read_in_the_encodings_that_spreadsheets_write(
    tmp_path: Path, encoding: str, known: str
) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes("nom;ville\nÉlise;Trois-Rivières\n".encode(encoding))
    table = open_table(path)
    assert table.encoding == known
    assert [row.values for row in table.rows()] == [{"nom": "Élise", "ville": "Trois-Rivières"}]


def test_a_record_with_other_fields_than_the_header_is_a_broken_row(tmp_path: Path) -> None:
    rows = _read(tmp_path / "r.csv", b"a,b\n1,2\n1\n\n1,2,3\n3,4\n")
    assert [_reason(row) for row in rows] == ["", "fields", "fields", ""]
    assert rows[2].problem is not None
    assert "3 fields where the header has 2" in rows[2].problem.message("en")


def test_a_field_that_is_not_closed_as_it_should_be_is_a_broken_row(tmp_path: Path) -> None:
    rows = _read(tmp_path / "r.csv", b'a,b\n1,"x"y\n3,4\n')
    assert [_reason(row) for row in rows] == ["csv", ""]


def test_parquet_is_read_with_its_types_as_json(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "r.parquet"
    columns = {"n": list(range(200)), "when": [date(2026, 11, 25)] * 200, "list": [["é"]] * 200}
    parquet.write_table(pa.table(columns), path, row_group_size=50)
    table = open_table(path)
    assert (table.count, table.columns) == (200, ("n", "when", "list"))
    assert list(table.rows())[150].values == {"n": 150, "when": "2026-11-25", "list": ["é"]}


def test_parquet_without_its_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "r.parquet").write_bytes(b"PAR1 and more")
    with pytest.raises(BatchError) as refused:
        open_table(tmp_path / "r.parquet")
    assert refused.value.reason == "parquet_missing"
    assert "“parquet”" in refused.value.message("en")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("r.jsonl", b"", "input_empty"),
        ("r.jsonl", b"\n\n", "input_no_row"),
        ("r.jsonl", b"[1]\n", "input_no_row"),
        ("r.csv", b"a,b\n", "input_empty"),
        ("r.csv", b"a,,c\n1,2,3\n", "input_header"),
        ("r.csv", b"a,b,a\n1,2,3\n", "input_header_twice"),
        ("r.parquet", b"not parquet", "input_unreadable"),
        ("r.parquet", b"PAR1 nor this PAR1", "input_unreadable"),
        ("r.dat", b"anything", "input_kind"),
    ],
)
def test_what_no_row_can_be_read_from_is_told_before_the_first(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BatchError) as refused:
        open_table(tmp_path / name)
    assert refused.value.reason == reason
    for language in ("en", "fr"):
        assert name in refused.value.message(language)


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match=r"batch\.invalid") as refused:
        open_table(tmp_path / "none.jsonl")
    assert "none.jsonl" in refused.value.message("en")


def test_the_digest_tells_files_apart_by_what_is_in_them(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"a": value}))
    a, b, c = (open_table(tmp_path / f"{name}.jsonl").digest for name in "abc")
    assert a == b != c
