"""Which build of the engine fits which machine, and the command that installs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from menagerie.cli import wheels
from menagerie.cli.wheels import Backend, Build, Evidence, fitting
from menagerie.models.pip_settings import PipSettings


@pytest.mark.parametrize(
    ("seen", "build"),
    [
        (Evidence(), Build("cpu")),
        (Evidence(cuda=(13, 2), weakest_gpu=(9, 0)), Build("cuda", "cu132")),
        (Evidence(cuda=(13, 0), weakest_gpu=(8, 9)), Build("cuda", "cu128")),
        (Evidence(cuda=(13, 2), weakest_gpu=(6, 1)), Build("cuda", "cu128")),
        (Evidence(cuda=(13, 2)), Build("cuda", "cu132")),
        (Evidence(cuda=(11, 8), vulkan=True), Build("vulkan", "vulkan")),
        (Evidence(cuda=(11, 8)), Build("cpu")),
        (Evidence(rocm=(7, 0, 2), vulkan=True), Build("rocm", "rocm-7.2.4")),
        (Evidence(rocm=(6, 4, 1)), Build("rocm", "rocm-6.4.1")),
        (Evidence(rocm=(5, 7)), Build("cpu")),
        (Evidence(vulkan=True), Build("vulkan", "vulkan")),
        (Evidence(metal=True, vulkan=True), Build("metal")),
    ],
)
def test_the_build_is_the_fastest_that_drivers_and_gpus_are_good_for(seen: Evidence, build: Build) -> None:
    assert fitting(seen) == build


@pytest.mark.parametrize("backend", ["cuda", "rocm", "vulkan", "metal", "cpu"])
def test_the_back_end_that_is_asked_for_is_taken_whatever_was_seen(backend: Backend) -> None:
    assert fitting(Evidence(), backend).backend == backend
    assert fitting(Evidence(cuda=(12, 9), weakest_gpu=(8, 0)), "cuda").name == "cu128"


def test_the_command_is_for_this_python_and_names_the_index_of_the_build() -> None:
    words = wheels.command(Build("cuda", "cu132"), "https://mirror.example/whl/{build}/simple")
    assert words is not None
    assert sys.executable in words
    assert words[words.index("--index-url") + 1] == "https://mirror.example/whl/cu132/simple"
    assert words[-1].startswith("xllamacpp>=")
    assert "--no-deps" in words


def test_an_index_without_a_place_for_the_build_is_taken_as_it_is() -> None:
    assert wheels.address(Build("cuda", "cu132"), "https://mirror.example/simple") == (
        "https://mirror.example/simple"
    )
    assert wheels.address(Build("vulkan", "vulkan"), "").startswith("<")


def test_a_password_in_the_address_of_the_index_is_not_shown() -> None:
    shown = wheels.shown(["uv", "--index-url", "https://me:hush@mirror.example/cu132"])
    assert "mirror.example/cu132" in shown
    assert "hush" not in shown


def test_the_ordinary_build_comes_from_the_ordinary_index() -> None:
    words = wheels.command(Build("cpu"), "https://mirror.example/{build}")
    assert words is not None
    assert "--index-url" not in words


def test_uv_is_used_where_it_is_and_else_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/nowhere/at/all")
    monkeypatch.setattr("shutil.which", lambda _name: "/bin/uv")
    assert (wheels.command(Build("cpu"), "") or [])[:2] == ["/bin/uv", "pip"]
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    assert (wheels.command(Build("cpu"), "") or [])[:3] == [sys.executable, "-m", "pip"]
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert wheels.command(Build("cpu"), "") is None


def test_installing_tells_whether_it_worked() -> None:
    ran: list[list[str]] = []

    def run(words: list[str], **_options: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append(words)
        return subprocess.CompletedProcess(words, len(ran) - 1)

    assert wheels.install(["uv", "--index-url", "x"], run)
    assert not wheels.install(["uv", "--index-url", "x"], run)
    assert not wheels.install(["/nowhere/uv", "--index-url", "x"])


def test_installing_goes_the_way_that_pip_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    pip = PipSettings(
        indexes=("https://one.example/simple", "https://two.example/simple"),
        find_links=("/opt/wheels", "/opt/more"),
        trusted_hosts=frozenset({"one.example"}),
        certificate=Path("/etc/authorities.pem"),
        proxy="http://proxy.example:3128",
    )
    told: list[dict[str, str]] = []

    async def settings() -> PipSettings:
        return pip

    def run(words: list[str], *, env: dict[str, str], **_options: Any) -> subprocess.CompletedProcess[bytes]:
        told.append(env)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(wheels, "read_pip_settings", settings)
    for name in (
        "SSL_CERT_FILE",
        "ALL_PROXY",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_FIND_LINKS",
        "UV_INSECURE_HOST",
    ):
        monkeypatch.delenv(name, raising=False)
    assert wheels.install(["uv"], run)
    assert wheels.install(["uv", "--index-url", "x"], run)
    ordinary, own = told
    for env in (ordinary, own):
        assert env["SSL_CERT_FILE"] == "/etc/authorities.pem"
        assert env["ALL_PROXY"] == "http://proxy.example:3128"
        assert env["UV_INSECURE_HOST"] == "one.example"
    assert ordinary["UV_DEFAULT_INDEX"] == "https://one.example/simple"
    assert ordinary["UV_INDEX"] == "https://two.example/simple"
    assert ordinary["UV_FIND_LINKS"] == "/opt/wheels,/opt/more"
    assert "UV_DEFAULT_INDEX" not in own
    assert "UV_FIND_LINKS" not in own


NVIDIA_SMI = "| NVIDIA-SMI 590.1   Driver Version: 590.1   CUDA Version: 13.2 |\n"


def test_drivers_are_found_by_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "_said", lambda *words: "9.0\n7.5\n" if len(words) > 1 else NVIDIA_SMI)
    seen = wheels.look()
    assert (seen.cuda, seen.weakest_gpu) == ((13, 2), (7, 5))


def test_a_machine_without_tools_for_gpus_is_looked_at_without_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    seen = wheels.look()
    assert seen.weakest_gpu == ()


def test_the_documentation_is_where_the_package_says() -> None:
    assert wheels.documentation().startswith("https://")
