"""The rows of a table in a file: JSONL, CSV or Parquet, one after another, whatever the size of the file.

What is wrong with the file as a whole is a `BatchError` before the first row; what is wrong with one row is in that
row, and the others follow.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from menagerie.batches.failures import BatchError, FileError, RowError

Kind = Literal["jsonl", "csv", "parquet"]

LONGEST_ROW: Final = 1_048_576
"""Bytes of a line of JSONL, characters of a field of CSV."""
KINDS: Final[Mapping[str, Kind]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_DELIMITERS: Final = ",;\t|"
_SAMPLE: Final = 65_536
_SAMPLED_ROWS: Final = 20
_BLOCK: Final = 1_048_576
_PARQUET_ROWS: Final = 64
_SHOWN: Final = 2_000
"""Characters of a broken row that are repeated."""


class Row(msgspec.Struct, frozen=True):
    """A row, numbered from 1. `values` are its columns; a broken one has a `problem`, and `source` is its text."""

    number: int
    values: dict[str, Any] = {}
    problem: RowError | None = None
    source: str = ""


class Table(msgspec.Struct, frozen=True):
    """A file of rows that could be read to its end. `columns` are those of its first whole row, of its header or of its
    schema; `digest` is the SHA-256 of its content; `encoding` is that of a CSV."""

    path: Path
    kind: Kind
    digest: str
    count: int
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    delimiter: str = ","

    def rows(self) -> Iterator[Row]:
        """Its rows, read as they are asked for. Raises `BatchError` where the file has changed so much that it can no
        longer be read."""
        return _READERS[self.kind](self)


def open_table(path: Path, kind: Kind | None = None) -> Table:
    """Look at a whole file once. Raises `BatchError` where it is missing, unreadable, empty or of no known kind; a
    `kind` that is given is not looked for, nor are its columns.

    A CSV that is neither UTF-8 nor marked as UTF-16 is taken for Windows-1252, which is what spreadsheets write.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_SAMPLE)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as failure:
        raise FileError("input_unreadable", path=path, problem=failure) from failure
    if not head:
        raise BatchError("input_empty", path=str(path))
    known, kind = kind, kind or _kind(path, head)
    encoding = _encoding(path, head) if kind == "csv" else "utf-8"
    delimiter = _delimiter(head, encoding) if kind == "csv" else ""
    table = Table(path, kind, digest, 0, (), encoding, delimiter)
    columns = () if known else _COLUMNS[kind](table)
    count = _parquet(path).metadata.num_rows if kind == "parquet" else sum(1 for _ in table.rows())
    if not count:
        raise BatchError("input_empty", path=str(path))
    return msgspec.structs.replace(table, columns=columns, count=count)


def _kind(path: Path, head: bytes) -> Kind:
    if head.startswith(b"PAR1"):
        return "parquet"
    if kind := KINDS.get(path.suffix.lower()):
        if kind == "parquet":
            raise BatchError("input_unreadable", path=str(path), problem="Parquet")
        return kind
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonl"
    raise BatchError("input_kind", path=str(path), known=", ".join(KINDS))


# JSONL


def _jsonl(table: Table) -> Iterator[Row]:
    number = 0
    with table.path.open("rb") as file:
        while line := file.readline(LONGEST_ROW + 2):
            cut = not line.endswith(b"\n") and len(line) > LONGEST_ROW
            while cut and (rest := file.readline(_BLOCK)) and not rest.endswith(b"\n"):
                pass
            if number == 0:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                number += 1
                yield _json_row(number, line, cut=cut)


def _json_row(number: int, line: bytes, *, cut: bool) -> Row:
    source = line[:_SHOWN].decode("utf-8", "replace").rstrip("\r\n")
    if cut:
        return Row(number, problem=RowError("too_long", limit=LONGEST_ROW), source=source)
    try:
        values = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Row(number, problem=RowError("json"), source=source)
    if not isinstance(values, dict):
        return Row(number, problem=RowError("object"), source=source)
    return Row(number, values)


def _jsonl_columns(table: Table) -> tuple[str, ...]:
    first = next((row for row in _jsonl(table) if row.problem is None), None)
    if first is None:
        raise BatchError("input_no_row", path=str(table.path))
    return tuple(first.values)


# CSV


def _csv(table: Table) -> Iterator[Row]:
    records = _records(table)
    header = next(records)
    assert not isinstance(header, RowError)
    number = 0
    for record in records:
        if record == []:
            continue
        number += 1
        if isinstance(record, RowError):
            yield Row(number, problem=record)
        elif len(record) != len(header):
            problem = RowError("fields", found=len(record), expected=len(header))
            yield Row(number, problem=problem, source=table.delimiter.join(record)[:_SHOWN])
        else:
            yield Row(number, dict(zip(header, record, strict=True)))


def _records(table: Table) -> Iterator[list[str] | RowError]:
    csv.field_size_limit(LONGEST_ROW)
    with table.path.open(encoding=table.encoding, errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=table.delimiter, strict=True)
        while True:
            try:
                yield next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield RowError("csv", line=reader.line_num)


def _csv_columns(table: Table) -> tuple[str, ...]:
    header = next(_records(table), [])
    if isinstance(header, RowError) or not header or not all(name.strip() for name in header):
        raise BatchError("input_header", path=str(table.path))
    if twice := next((name for name in header if header.count(name) > 1), ""):
        raise BatchError("input_header_twice", path=str(table.path), column=twice)
    return tuple(header)


def _encoding(path: Path, head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            while file.read(_BLOCK):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _delimiter(head: bytes, encoding: str) -> str:
    """The delimiter that cuts most of the first records into as many fields as the header, the more the better."""
    lines = head.decode(encoding, "ignore").splitlines(keepends=True)
    csv.field_size_limit(LONGEST_ROW)

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            records = [record for record in csv.reader(lines, delimiter=delimiter) if record]
        except csv.Error:
            return 0.0, 0
        sample = records[:_SAMPLED_ROWS]
        width = len(sample[0]) if sample else 0
        same = sum(len(record) == width for record in sample)
        return (same / len(sample), width) if width > 1 else (0.0, 0)

    return max(_DELIMITERS, key=fit)


# Parquet


def _parquet_rows(table: Table) -> Iterator[Row]:
    number = 0
    with _parquet(table.path) as file:
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS, use_threads=False):
            for values in batch.to_pylist():
                number += 1
                yield Row(number, msgspec.json.decode(msgspec.json.encode(values, enc_hook=str)))


def _parquet_columns(table: Table) -> tuple[str, ...]:
    with _parquet(table.path) as file:
        return tuple(file.schema_arrow.names)


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError as failure:
        raise BatchError("parquet_missing", path=str(path)) from failure
    try:
        return ParquetFile(path)
    except (ArrowException, OSError) as failure:
        raise BatchError("input_unreadable", path=str(path), problem="Parquet") from failure


_READERS: Final = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet_rows}
_COLUMNS: Final = {"jsonl": _jsonl_columns, "csv": _csv_columns, "parquet": _parquet_columns}
