"""What doctor says of engines: devices with their budgets, the build that fits, and installing it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from menagerie.cli import doctor, engine_findings, main, wheels
from menagerie.cli.engine_findings import Finding
from menagerie.cli.exits import Exit
from menagerie.cli.source_findings import sources
from menagerie.cli.wheels import Evidence
from menagerie.engines.devices import Findings, LibraryDevice, Memory, Report
from menagerie.engines.plan import MIB
from menagerie.locales import LANGUAGES, Language
from menagerie.settings import Settings

NVIDIA = LibraryDevice("CUDA0", "NVIDIA L4", "gpu", 20_000 * MIB, 24_000 * MIB)
APPLE = LibraryDevice("MTL0", "Apple M4", "gpu", 20_000 * MIB, 24_000 * MIB)
ON_CPU = Findings(8, Memory(32_000, 30_000), Report("1", "CPU : AVX = 1 | "))
ON_GPU = Findings(8, Memory(32_000, 30_000), Report("1", "CUDA : X = 1 | CPU : AVX = 1 | ", (NVIDIA,)))


def told(findings: list[Finding], key: str) -> list[str]:
    return [seen for _, found, seen in findings if found == key]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_device_is_told_with_its_budget_and_how_that_is_known(
    settings: Settings, language: Language
) -> None:
    findings = [*engine_findings.devices(ON_GPU, settings, language)]
    (memory,), (gpu,) = told(findings, "ram"), told(findings, "gpu")
    assert "24000" in memory
    assert "NVIDIA L4" in gpu
    assert "18000" in gpu
    limited = msgspec.structs.replace(ON_GPU, memory=Memory(8000, 8000, "container"))
    (memory,) = told([*engine_findings.devices(limited, settings, language)], "ram")
    assert ("container" if language == "en" else "conteneur") in memory


def test_a_gpu_in_the_memory_of_the_machine_is_told_as_such(settings: Settings) -> None:
    found = msgspec.structs.replace(ON_CPU, report=Report("1", "", (APPLE,)))
    (gpu,) = told([*engine_findings.devices(found, settings, "en")], "gpu")
    assert gpu == "Apple M4, in the machine’s own memory"


@pytest.mark.parametrize("failure", ["crashed", "late", "skipped"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_library_that_does_not_work_is_bad(failure: str, language: Language) -> None:
    report = msgspec.convert({"failure": failure}, Report)
    ((state, _, seen),) = engine_findings.engine(msgspec.structs.replace(ON_CPU, report=report), language)
    assert state == "bad"
    assert seen


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_better_build_is_named_with_its_command_and_where_its_address_is_found(
    settings: Settings, language: Language
) -> None:
    seen = Evidence(cuda=(13, 2), weakest_gpu=(8, 9))
    findings = [*engine_findings.build(ON_CPU, seen, settings, language)]
    assert "CUDA" in told(findings, "build")[0]
    assert "/cu132" in told(findings, "build_command")[0]
    (where,) = told(findings, "build_index")
    assert "MENAGERIE_ENGINE_INDEX" in where
    assert "{build}" in where
    known = settings.model_copy(update={"engine_index": "https://mirror.example/{build}"})
    findings = [*engine_findings.build(ON_CPU, seen, known, language)]
    assert "https://mirror.example/cu132" in told(findings, "build_command")[0]
    assert told(findings, "build_index") == []


def test_the_build_that_fits_is_left_alone(settings: Settings) -> None:
    for found, seen in ((ON_GPU, Evidence(cuda=(13, 2))), (ON_CPU, Evidence())):
        ((state, key, _),) = engine_findings.build(found, seen, settings, "en")
        assert (state, key) == ("ok", "build")


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_told_where_nothing_leaves_the_machine_and_what_still_does(language: Language) -> None:
    ((state, _, _),) = doctor._outside(Settings(), language)
    assert state == "ok"
    ((state, _, seen),) = doctor._outside(Settings(outside="off"), language)
    assert (state, bool(seen)) == ("note", True)
    ((_, _, seen),) = doctor._outside(Settings(outside="off", fetch_allow="wiki.example.org"), language)  # type: ignore[arg-type]
    assert "wiki.example.org" in seen


@pytest.mark.parametrize("language", LANGUAGES)
def test_wikis_and_feeds_are_not_called_right_where_nothing_leaves_the_machine(language: Language) -> None:
    for allowed in ("", "wiki.example.org"):
        findings = [*sources(Settings(outside="off", fetch_allow=allowed), language)]  # type: ignore[arg-type]
        for name in ("wikis", "feeds"):
            ((state, seen),) = [(state, seen) for state, key, seen in findings if key == name]
            assert state == "note"
            assert "MENAGERIE_OUTSIDE" in seen
            assert allowed in seen


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_told_who_searches_which_wikis_there_are_and_how_many_feeds(
    settings: Settings, language: Language, tmp_path: Path
) -> None:
    searxng = {"search": "searxng", "search_url": "https://u:secret@search.example.ca"}
    for changed, name in ((searxng, "SearXNG"), ({"search": "brave"}, "Brave"), ({"search": "off"}, "")):
        findings = [*sources(settings.model_copy(update=changed), language)]
        assert [state for state, _, _ in findings] == ["ok"] * 3
        assert name in told(findings, "search")[0]
        assert "secret" not in told(findings, "search")[0]
    findings = [*sources(settings.model_copy(update={"wikis": ("https://wiki.example.ca/w/",)}), language)]
    assert "wikipedia.org" in told(findings, "wikis")[0]
    assert "wiki.example.ca" in told(findings, "wikis")[0]
    assert re.match(r"\d\d", told(findings, "feeds")[0])
    table = tmp_path / "feeds.toml"
    table.write_text("[[feed]]", encoding="utf-8")
    *_, (state, key, seen) = sources(settings.model_copy(update={"feeds": table}), language)
    assert (state, key) == ("note", "feeds")
    assert str(table) in seen


def test_doctor_makes_no_store_and_upgrades_none(settings: Settings) -> None:
    assert main(["doctor"]) == Exit.DONE
    assert not settings.data.exists()


def test_installing_a_build_for_a_gpu_without_an_index_says_where_to_find_one(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--install-engine=cuda", "--lang", "fr"]) == Exit.USAGE
    assert "MENAGERIE_ENGINE_INDEX" in capsys.readouterr().err


@pytest.mark.parametrize("works", [True, False])
def test_a_build_is_installed_on_request_and_tried(
    settings: Settings, works: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setenv("MENAGERIE_ENGINE_INDEX", "https://mirror.example/{build}")
    monkeypatch.setattr(wheels, "look", lambda: Evidence(vulkan=True))

    def install(words: list[str]) -> bool:
        ran.append(words)
        return works

    monkeypatch.setattr(wheels, "install", install)
    assert main(["doctor", "--install-engine"]) == (Exit.DONE if works else Exit.FAILED)
    assert "https://mirror.example/vulkan" in ran[0]
    shown = capsys.readouterr()
    assert ("is installed, back ends: CPU" in shown.out) is works
    assert ("Nothing was installed" in shown.err) is not works
