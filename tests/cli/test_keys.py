"""`menagerie keys` beside a running service: what it makes works, what it revokes does not, and no secret stays."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from menagerie.cli import main
from menagerie.cli.exits import Exit
from menagerie.core.keys import hash_of
from menagerie.settings import Settings
from tests.service import Service, running_service

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("keys") / "data"
    with running_service(data, tiny_model, MENAGERIE_API_KEYS="required") as running:
        yield running


@pytest.fixture(scope="module")
def keys(service: Service) -> Command:
    """`menagerie keys` on the data of the service."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "menagerie", "keys", *words],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(service.data),
                "MENAGERIE_DATA": str(service.data),
                "LANG": "en_CA.UTF-8",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def asked(service: Service, key: str) -> int:
    request = urllib.request.Request(f"{service.url}/gpt/beaver?prompt=Hello")
    request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_a_key_works_at_once_and_the_very_next_request_after_its_revocation_is_refused(
    service: Service, keys: Command
) -> None:
    made = keys("create", "report", "--owner", "Ann@Example.ca")
    assert (made.returncode, made.stdout.count("\n")) == (0, 1)
    key = made.stdout.strip()
    assert key.startswith("mng_")
    assert "ann@example.ca" in made.stderr
    assert key not in made.stderr
    assert [asked(service, one) for one in ("none", key, key)] == [401, 200, 200]
    revoked = keys("revoke", "report")
    assert (revoked.returncode, "revoked" in revoked.stdout) == (0, True)
    assert asked(service, key) == 401
    assert "before" in keys("revoke", key).stdout
    assert keys("revoke", "report").returncode == Exit.FAILED


def test_neither_the_secret_nor_the_key_is_in_any_file_or_log_and_the_turn_is_filed_under_its_owner(
    service: Service, keys: Command
) -> None:
    key = keys("create", "secret", "--owner", "bob").stdout.strip()
    assert asked(service, key) == 200
    listed = keys("list").stdout
    files = {path: path.read_bytes() for path in service.data.rglob("*") if path.is_file()}
    assert any(b"bob" in content for content in files.values())
    secret, hashed = key.rpartition("_")[2].encode(), (hash_of(key) or "").encode()
    raw = (bytes.fromhex(secret.decode()), hashlib.sha256(key.encode()).digest())
    for path, content in files.items():
        assert secret not in content, path
        assert not any(one in content for one in raw), path
        assert hashed not in content or path.name.startswith("menagerie.sqlite3"), path
    assert secret.decode() not in listed
    assert hashed.decode() not in listed


def test_a_list_shows_what_a_key_may_do_and_whether_it_is_good(service: Service, keys: Command) -> None:
    made = keys(
        "create", "both", "--persona", "owl", "--persona", "beaver", "--bypass", "--tokens-per-minute", "900"
    )
    assert asked(service, made.stdout.strip()) == 200
    (line,) = [line for line in keys("list").stdout.splitlines() if " both " in line]
    for shown in ("owl,beaver", "900", "active", "key:"):
        assert shown in line
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", line)
    keys("revoke", "both")
    (line,) = [line for line in keys("list").stdout.splitlines() if " both " in line]
    assert line.endswith("revoked")


def test_all_keys_of_a_person_who_leaves_are_revoked_together(service: Service, keys: Command) -> None:
    made = [keys("create", name, "--owner", "eve").stdout.strip() for name in ("one", "two")]
    assert [asked(service, key) for key in made] == [200, 200]
    assert len(keys("revoke", "--owner", "EVE").stdout.splitlines()) == 2
    assert [asked(service, key) for key in made] == [401, 401]


def test_the_tokens_of_a_turn_are_charged_to_its_key(service: Service, keys: Command) -> None:
    key = keys("create", "small", "--tokens-per-minute", "3").stdout.strip()
    assert [asked(service, key) for _ in range(2)] == [200, 429]


def test_a_name_that_is_taken_and_a_day_that_is_over_are_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "create", "one", "--persona", "unicorn"]) == Exit.DONE
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 1
    assert "no persona named “unicorn”" in shown.err
    assert main(["keys", "create", "one"]) == Exit.FAILED
    assert main(["keys", "create", "two", "--expires", "2020-01-01"]) == Exit.USAGE
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("last", ["9999-12-31", "2999-01-01", "36500", "1"])
def test_any_day_to_come_can_be_the_last(
    settings: Settings, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "create", "one", "--expires", last]) == Exit.DONE
    assert main(["keys", "list"]) == Exit.DONE
    assert "active" in capsys.readouterr().out


def test_a_key_is_good_until_the_end_of_its_last_day(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    last = datetime.now(UTC) + timedelta(days=10)
    assert main(["keys", "create", "one", "--expires", f"{last:%Y-%m-%d}"]) == Exit.DONE
    assert main(["keys", "list"]) == Exit.DONE
    assert f"{last + timedelta(days=1):%Y-%m-%d} 00:00" in capsys.readouterr().out


def test_without_keys_the_list_says_how_to_make_one(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "list", "--lang", "fr"]) == Exit.DONE
    assert "menagerie keys create" in capsys.readouterr().out
