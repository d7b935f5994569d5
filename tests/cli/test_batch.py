"""`menagerie batch`: whatever is killed, no answered row is asked again, and none is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from menagerie.batches.pace import Progress
from menagerie.cli import main
from menagerie.cli.batch_bar import duration_text, progress_line
from menagerie.cli.exits import Exit
from menagerie.settings import Settings
from tests.service import Service, free_port, running_service

ROWS = 60


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Rows to ask."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"number {n}"}) + "\n" for n in range(1, ROWS + 1)))
    return path


@pytest.fixture
def service(tmp_path: Path, tiny_model: Path) -> Iterator[Service]:
    with running_service(tmp_path / "service", tiny_model, MENAGERIE_ENGINE_SLOTS="2") as service:
        yield service


def _command(service: Service, rows: Path, *more: str) -> subprocess.Popen[str]:
    words = [
        *("--lang", "en", "batch", "beaver", "--in", str(rows), "--out", str(rows.with_name("out.jsonl"))),
        *("--prompt", "Say {text}", "--url", service.url, *more),
    ]
    environment = {"PATH": os.environ.get("PATH", ""), "MENAGERIE_DATA": str(rows.parent / "mine")}
    return subprocess.Popen(
        [sys.executable, "-m", "menagerie", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _answered(journal: Path) -> set[int]:
    """The rows of a journal that is still written."""
    if not journal.exists():
        return set()
    whole = journal.read_bytes().split(b"\n")[:-1]
    return {json.loads(line)["row"] for line in whole[1:]}


def _prompts(service: Service) -> dict[str, list[str]]:
    """How the turns about each row have ended, by their prompt."""
    with sqlite3.connect(f"file:{service.data}/menagerie.sqlite3?mode=ro", uri=True) as store:
        told: dict[str, list[str]] = {}
        for prompt, outcome in store.execute("SELECT prompt, outcome FROM turns"):
            told.setdefault(prompt, []).append(outcome)
    return told


def _until_answered(journal: Path, number: int) -> set[int]:
    deadline = time.monotonic() + 60
    while len(answered := _answered(journal)) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return answered


@pytest.mark.engine
def test_a_command_that_is_killed_goes_on_without_asking_an_answered_row_again(
    service: Service, rows: Path
) -> None:
    journal = rows.with_name("out.jsonl.journal")
    before: set[int] = set()
    for number in (10, 30):
        with _command(service, rows) as command:
            _until_answered(journal, number)
            command.send_signal(signal.SIGKILL)
        killed_with = _answered(journal)
        assert before < killed_with
        before = killed_with
    assert not rows.with_name("out.jsonl").exists()
    asked_before = {prompt: len(ends) for prompt, ends in _prompts(service).items()}
    with _command(service, rows) as command:
        said, _ = command.communicate(timeout=120)
    assert command.returncode == Exit.DONE, said
    assert "have ended before, and are not asked again" in said
    out = [json.loads(line) for line in rows.with_name("out.jsonl").read_text().splitlines()]
    assert [line["row"] for line in out] == list(range(1, ROWS + 1))
    assert all(line["answer"].strip() for line in out)
    asked = {prompt: len(ends) for prompt, ends in _prompts(service).items()}
    for row in before:
        prompt = f"Say number {row}"
        assert asked[prompt] == asked_before[prompt]
    assert not journal.exists()


@pytest.mark.engine
def test_a_service_that_is_killed_meanwhile_is_waited_for(rows: Path, tiny_model: Path) -> None:
    port, data = str(free_port()), rows.parent / "service"
    journal = rows.with_name("out.jsonl.journal")
    with running_service(data, tiny_model, MENAGERIE_PORT=port) as service:
        command = _command(service, rows)
        _until_answered(journal, 10)
        service.kill_everything()
    with running_service(data, tiny_model, MENAGERIE_PORT=port):
        said, _ = command.communicate(timeout=120)
    assert command.returncode == Exit.DONE, said
    out = [json.loads(line)["row"] for line in rows.with_name("out.jsonl").read_text().splitlines()]
    assert out == list(range(1, ROWS + 1))


@pytest.mark.engine
def test_a_person_who_asks_meanwhile_waits_for_no_row(rows: Path, tiny_model: Path) -> None:
    slow = {"MENAGERIE_ENGINE_SLOTS": "2", "MENAGERIE_ANSWER_TOKENS": "300"}
    with running_service(rows.parent / "service", tiny_model, **slow) as service:
        with _command(service, rows) as command:
            for number in (2, 4, 6):
                _until_answered(rows.with_name("out.jsonl.journal"), number)
                with urllib.request.urlopen(f"{service.url}/gpt/beaver?prompt=Hello", timeout=60) as answer:
                    assert answer.status == 200
            assert command.poll() is None
            command.send_signal(signal.SIGINT)
            command.communicate(timeout=30)
        with sqlite3.connect(f"file:{service.data}/menagerie.sqlite3?mode=ro", uri=True) as store:
            waited = dict(store.execute("SELECT prompt = 'Hello', max(queued_ms) FROM turns GROUP BY 1"))
            held = "SELECT avg(total_ms - queued_ms) FROM turns WHERE prompt <> 'Hello'"
            (hold,) = store.execute(held).fetchone()
    assert waited[1] < hold / 2 < waited[0]


@pytest.mark.engine
def test_ctrl_c_says_what_is_kept_and_how_to_go_on(service: Service, rows: Path) -> None:
    with _command(service, rows) as command:
        _until_answered(rows.with_name("out.jsonl.journal"), 5)
        command.send_signal(signal.SIGINT)
        said, _ = command.communicate(timeout=30)
    assert command.returncode == Exit.INTERRUPTED, said
    assert "The same command goes on from there." in said
    assert "Traceback" not in said
    assert len(_answered(rows.with_name("out.jsonl.journal"))) >= 5


@pytest.mark.engine
def test_answers_under_a_schema_are_json_that_meets_it(service: Service, rows: Path) -> None:
    schema = rows.with_name("schema.json")
    kind = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    schema.write_text(json.dumps({**kind, "additionalProperties": False}))
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:6]))
    with _command(service, rows, "--schema", str(schema), "--keep") as command:
        said, _ = command.communicate(timeout=60)
    assert command.returncode == Exit.DONE, said
    for line in map(json.loads, rows.with_name("out.jsonl").read_text().splitlines()):
        assert isinstance(line["answer"]["n"], int)
        assert line["input"] == {"text": f"number {line['row']}"}


@pytest.mark.engine
def test_where_no_service_runs_the_command_does_the_work_itself(
    settings: Settings, rows: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MENAGERIE_PORT", str(free_port()))
    monkeypatch.setenv("MENAGERIE_ANSWER_TOKENS", "8")
    rows.write_text('{"text": "a"}\n{broken\n{"other": 1}\n')
    out = rows.with_name("out.jsonl")
    words = ["batch", "beaver", "--in", str(rows), "--out", str(out), "--prompt", "{text}"]
    assert main(words) == Exit.FAILED
    said = capfd.readouterr()
    assert "1 of 3 rows answered" in said.out
    assert "2 of 3 rows failed" in said.out
    assert [json.loads(line)["row"] for line in out.read_text().splitlines()] == [1]
    failures = rows.with_name("out.failed.jsonl").read_text().splitlines()
    assert [json.loads(line)["error"]["code"] for line in failures] == ["row.invalid"] * 2
    assert main(words) == Exit.USAGE
    assert "out.jsonl is there already" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--in", "none.jsonl"], "none.jsonl"),
        (["--prompt", "{nothing}"], "nothing"),
        (["--prompt", "{text"], "brace"),
        (["--schema", "rows.jsonl"], "rows.jsonl"),
        (["--out", "rows.jsonl"], "three different files"),
        (["--out", "none/out.jsonl"], "none"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_asked(
    settings: Settings,
    rows: Path,
    options: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(rows.parent)
    given = ["batch", "beaver", "--in", "rows.jsonl", "--out", "out.jsonl", *options]
    assert main(given) == Exit.USAGE
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not rows.with_name("out.jsonl.journal").exists()


def test_an_address_where_nobody_answers_is_told(
    settings: Settings, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    out = rows.with_name("out.jsonl")
    assert main(["batch", "beaver", "--in", str(rows), "--out", str(out), "--url", url]) == Exit.FAILED
    assert url in capsys.readouterr().err
    assert not rows.with_name("out.jsonl.journal").exists()


def test_progress_is_told_in_both_languages() -> None:
    progress = Progress(1234, 2, 10_000, 4.21, 2040.0)
    assert progress_line(progress, "en") == "1,234 of 10,000 rows, 2 failed, 4.2 rows/s, 34\u00a0min left"
    assert progress_line(progress, "fr") == (
        "rangées\u00a0: 1\u00a0234 sur 10\u00a0000, 2 en échec, 4,2 rangées/s, reste 34\u00a0min"
    )
    assert progress_line(Progress(0, 0, 10), "en") == "0 of 10 rows"
    assert [duration_text(seconds) for seconds in (0.2, 59, 90, 7500)] == [
        "1\u00a0s",
        "59\u00a0s",
        "2\u00a0min",
        "2\u00a0h\u00a05\u00a0min",
    ]


def test_why_a_file_cannot_be_read_is_told_in_the_language_of_the_person(
    settings: Settings, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = str(rows.with_name("none.csv"))
    for language, said in (("fr", "n’existe pas"), ("en", "there is no such file")):
        main(["--lang", language, "batch", "beaver", "--in", absent, "--out", absent + ".out"])
        assert said in capsys.readouterr().err
    main(["--lang", "fr", "batch", "beaver", "--in", str(rows.parent), "--out", absent + ".out"])
    assert "c’est un dossier" in capsys.readouterr().err
