"""The command line: both languages, whole; one line says what is wrong; exit statuses mean what they say."""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from menagerie import __version__
from menagerie.cli import main
from menagerie.cli.arguments import language_of
from menagerie.cli.exits import Exit
from menagerie.locales import LANGUAGES, Language, catalogue
from menagerie.models.wish import DEFAULT_MODEL
from tests.service import running_service
from tests.tiny_model import write_tiny_model

NEVER_SHOWN = {
    ".__call__() not defined",
    "conflicting subparser: %s",
    "conflicting subparser alias: %s",
    "conflicting option string: %s",
    "conflicting option strings: %s",
    'argument "-" with mode %r',
    "can't open '%(filename)s': %(error)s",
    "cannot merge actions - two groups are named %r",
    "'required' is an invalid argument for positionals",
    "invalid option string %(option)r: must start with a character %(prefix_chars)r",
    "dest= is required for options like %r",
    "invalid conflict_resolution value: %r",
    "mutually exclusive arguments must be optional",
    "cannot have multiple subparser arguments",
    "%r is not callable",
    "subcommands",
    "show program's version number and exit",
}
"""What argparse tells a programmer, or says where a text of ours stands instead."""


@pytest.fixture(autouse=True)
def _a_machine_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("MENAGERIE_", "LLM_", "LC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WHISPER_EMBEDDING_MODEL", "none")
    monkeypatch.setenv("LANG", "en_CA.UTF-8")
    monkeypatch.setenv("MENAGERIE_DATA", str(tmp_path / "data"))


def _model_at(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return write_tiny_model(folder / "tiny.gguf")


@pytest.mark.parametrize(
    ("words", "environment", "language"),
    [
        ([], {}, "en"),
        ([], {"LANG": "fr_CA.UTF-8"}, "fr"),
        ([], {"LANG": "fr_CA.UTF-8", "LC_ALL": "en_CA.UTF-8"}, "en"),
        ([], {"LC_MESSAGES": "fr", "LANG": "en_CA"}, "fr"),
        ([], {"LANG": "C.UTF-8", "MENAGERIE_LANGUAGE": "fr"}, "fr"),
        ([], {"LANG": "de_DE.UTF-8"}, "en"),
        (["--lang", "fr", "serve"], {"LANG": "en_CA.UTF-8"}, "fr"),
        (["settings", "--lang=en"], {"LANG": "fr_CA.UTF-8"}, "en"),
        (["--lang"], {"LANG": "fr_CA.UTF-8"}, "fr"),
    ],
)
def test_the_language_is_that_of_the_option_then_of_the_locale_then_of_the_setting(
    words: list[str], environment: dict[str, str], language: Language
) -> None:
    assert language_of(words, environment) == language


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["serve"],
        ["settings"],
        ["personas"],
        ["models"],
        ["models", "pull"],
        ["doctor"],
        ["keys", "create"],
        ["keys", "revoke"],
    ],
)
def test_help_is_wholly_in_french(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--lang", "fr", "--help"]) == Exit.DONE
    shown = capsys.readouterr().out
    assert shown.startswith("utilisation\u00a0: menagerie")
    english = ("usage", "show this", "positional", "optional", " the ", " and ")
    assert [word for word in english if word in shown] == []
    assert re.search(r"^\w+:", shown, re.MULTILINE) is None, "a colon has a no-break space before it"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fly"], "choix incorrect\u00a0: «\u00a0fly\u00a0»"),
        (["serve", "--fly"], "arguments inconnus\u00a0: --fly"),
        (["serve", "--port"], "il faut une valeur"),
        (["serve", "--port", "http"], "«\u00a0http\u00a0» n’est pas un port"),
        (["serve", "--port", "65536"], "«\u00a065536\u00a0» n’est pas un port"),
        (["models"], "il manque ces arguments"),
        (["keys", "revoke"], "il faut l’un de ces arguments"),
        (["keys", "create", "x", "--expires", "0"], "«\u00a00\u00a0» n’est ni un nombre de jours"),
        (["keys", "create", "x", "--expires", "2027-02-30"], "n’est ni un nombre de jours"),
        (["keys", "create", "x", "--owner", "Anon"], "n’est pas un nom"),
        (["keys", "create", "x", "--owner", "KEY:1"], "n’est pas un nom"),
        (["keys", "create", "\x1b[2J"], "caractères visibles"),
        (["keys", "create", "x", "--requests-per-minute", "0"], "«\u00a00\u00a0» n’est pas un nombre entier"),
        (["settings", "--markdown=x"], "cette option n’accepte pas de valeur"),
    ],
)
def test_a_wrong_command_line_is_explained_in_french(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lang", "fr", *words]) == Exit.USAGE
    shown = capsys.readouterr().err
    assert said in shown
    assert "erreur\u00a0:" in shown


def test_every_text_of_argparse_is_in_the_catalogues() -> None:
    known = {text for key, text in catalogue("en").items() if key.startswith("cli.argparse.")}
    shown = set()
    for node in ast.walk(ast.parse(inspect.getsource(argparse))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("_", "ngettext")
        ):
            shown |= {
                word.value
                for word in node.args
                if isinstance(word, ast.Constant) and isinstance(word.value, str)
            }
    assert shown - known - NEVER_SHOWN == set()


def test_argparse_speaks_english_again_for_other_programs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--lang", "fr", "--help"])
    capsys.readouterr()
    argparse.ArgumentParser(prog="other").print_help()
    assert capsys.readouterr().out.startswith("usage: other")


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == Exit.DONE
    assert capsys.readouterr().out == f"menagerie {__version__}\n"


def test_settings_that_are_wrong_end_every_command_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MENAGERIE_PROT", "1")
    for words in (["settings"], ["serve"], ["personas", "list"], ["models", "list"], ["doctor"]):
        assert main(words) == Exit.USAGE
        assert "Did you mean MENAGERIE_PORT?" in capsys.readouterr().err


@pytest.mark.parametrize("language", LANGUAGES)
def test_settings_are_printed(language: Language, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--lang", language]) == Exit.DONE
    assert "MENAGERIE_PORT = 5000" in capsys.readouterr().out


def test_personas_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["personas", "list"]) == Exit.DONE
    assert "beaver" in capsys.readouterr().out
    assert main(["personas", "show", "beaver"]) == Exit.DONE
    assert '"name": "beaver"' in capsys.readouterr().out


def test_a_persona_that_does_not_exist_is_an_error_in_the_persons_language(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--lang", "fr", "personas", "show", "unicorn"]) == Exit.FAILED
    said = capsys.readouterr().err
    assert "Aucun personnage" in said
    assert "menagerie personas list" in said


def test_a_broken_persona_file_is_told_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "90-ours.json").write_text('{\n  "beaver": {\n    "titel": "x"\n  }\n}\n', encoding="utf-8")
    assert main(["personas", "check", str(tmp_path)]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "90-ours.json" in said
    assert "line 3" in said
    assert main(["personas", "check"]) == Exit.DONE


def test_checking_a_folder_that_is_not_there_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["personas", "check", str(tmp_path / "none")]) == Exit.USAGE
    assert "There is no folder" in capsys.readouterr().err


def test_models_are_listed_inspected_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == Exit.DONE
    assert "No model in" in capsys.readouterr().out
    model = _model_at(tmp_path / "data" / "models")
    assert main(["models", "list"]) == Exit.DONE
    assert "tiny" in capsys.readouterr().out
    assert main(["models", "inspect", "tiny"]) == Exit.DONE
    assert "llama" in capsys.readouterr().out
    assert main(["models", "remove", "tiny"]) == Exit.DONE
    assert not model.exists()
    assert main(["models", "inspect", "tiny"]) == Exit.FAILED


def test_a_source_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", "ftp:x"]) == Exit.FAILED
    assert "ftp:x" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told_with_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--lang", "fr", "serve", "--port", str(port)]) == Exit.ADDRESS
    assert f"Le port {port} de 127.0.0.1 est occupé" in capsys.readouterr().err


def test_an_address_of_another_machine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "192.0.2.1", "--port", "0"]) == Exit.ADDRESS
    assert "must be an address of this machine" in capsys.readouterr().err


def test_a_default_persona_that_does_not_exist_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MENAGERIE_DEFAULT_PERSONA", "unicorn")
    assert main(["serve", "--port", "0"]) == Exit.USAGE
    assert "MENAGERIE_DEFAULT_PERSONA" in capsys.readouterr().err


def test_a_default_model_that_cannot_be_fetched_stops_the_start_and_says_how_to_bring_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LLM_MODEL_FILE", str(tmp_path / "nowhere.gguf"))
    assert main(["serve", "--port", "0"]) == Exit.MODEL
    said = capsys.readouterr().err
    assert "nowhere.gguf" in said
    assert "LLM_MODEL_FILE" in said
    assert str(tmp_path / "data" / "models") in said


def test_doctor_tells_what_is_there_in_both_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MENAGERIE_PORT", "0")
    assert main(["doctor"]) == Exit.DONE
    assert DEFAULT_MODEL.label in capsys.readouterr().out
    monkeypatch.setenv("LLM_MODEL_FILE", str(_model_at(tmp_path / "data" / "models")))
    assert main(["doctor", "--lang", "fr"]) == Exit.DONE
    shown = capsys.readouterr().out
    assert "xllamacpp" in shown
    assert "modèle par défaut" in shown
    assert "tiny (" in shown


def test_doctor_takes_a_running_service_for_no_fault_and_logs_on_stderr(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    doctor = [sys.executable, "-P", "-m", "menagerie", "doctor"]

    def findings(**settings: str) -> tuple[int, str]:
        ran = subprocess.run(doctor, env=os.environ | settings, capture_output=True, text=True, check=False)
        assert "store_upgraded" not in ran.stdout
        return ran.returncode, ran.stdout

    first = findings(MENAGERIE_PORT="0")  # makes the store, and logs it
    with running_service(data, write_tiny_model(tmp_path / "tiny.gguf")) as service:
        running = findings(MENAGERIE_PORT=str(service.port), MENAGERIE_API_KEYS="required")
    elsewhere = findings(MENAGERIE_HOST="192.0.2.1")

    assert first[0] == running[0] == Exit.DONE
    assert "in use by a menagerie" in running[1]
    assert "0 active; programs without a key are refused" in running[1]
    assert elsewhere[0] == Exit.FAILED
    assert "MENAGERIE_HOST must be an address of this machine" in elsewhere[1]


def test_doctor_finds_a_model_that_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really")
    monkeypatch.setenv("LLM_MODEL_FILE", str(broken))
    assert main(["doctor"]) == Exit.FAILED
    assert "BAD" in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_error_of_ours() -> None:
    command = [sys.executable, "-P", "-m", "menagerie", "settings"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == Exit.FAILED


def test_a_command_imports_no_more_than_it_needs() -> None:
    code = "import sys; from menagerie.cli import main; main(['--version']); print(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.splitlines()}
    assert loaded & {"pydantic", "fastapi", "sqlalchemy", "aiohttp", "xllamacpp", "psutil"} == set()
