"""The scripts, run for real in a copy of this tree whose path has blanks and accents, without an environment."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SHELL_SCRIPTS = sorted(
    script for script in (ROOT / "script").iterdir() if not script.suffix and script.is_file()
)
MACHINE = {
    name: value
    for name, value in os.environ.items()
    if name.startswith(("PIP_", "SSL_")) or name.lower().endswith("_proxy")
}
"""All that the scripts are given: where this machine's packages come from. Neither HOME nor PATH nor a language."""


def _environment_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", ROOT / "script" / "environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


environment = _environment_module()


def _copy(folder: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def _start(command: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["/bin/sh", command, *arguments],
        env=MACHINE | variables,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(command: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    with _start(str(command), *arguments, **variables) as process:
        out, err = process.communicate(timeout=600)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree in which two set-ups were started at the same time; both have to succeed."""
    folder = _copy(tmp_path_factory.mktemp("une copie d'été"))
    both = [_start(str(folder / "script" / "setup")) for _ in range(2)]
    said = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("Installing" in one for one in said) == [False, True], said
    return folder


@pytest.mark.parametrize("script", SHELL_SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_posix_sh_and_stops_at_the_first_failure(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert "\nset -eu\n" in text
    assert os.access(script, os.X_OK)
    for shell in filter(None, (shutil.which("sh"), shutil.which("dash"), shutil.which("busybox"))):
        arguments = [shell, "sh"] if shell.endswith("busybox") else [shell]
        subprocess.run([*arguments, "-n", script], check=True)


def test_everything_is_there_that_the_readme_names() -> None:
    assert {script.name for script in SHELL_SCRIPTS} == {
        "setup",
        "server",
        "menagerie",
        "test",
        "bench",
        "lock",
    }


def test_continuous_integration_runs_what_a_person_runs() -> None:
    run = ROOT / ".ci" / "run"
    subprocess.run(["bash", "-n", run], check=True)
    assert "script/test" in run.read_text(encoding="utf-8")


def test_the_server_starts_from_an_empty_environment_in_any_folder(checkout: Path) -> None:
    help_text = _run(checkout / "script" / "server", "--help")
    assert help_text.returncode == 0, help_text.stderr
    assert help_text.stdout.startswith("usage: menagerie serve")


def test_arguments_reach_the_server_as_they_are(checkout: Path) -> None:
    refused = _run(checkout / "script" / "server", "--port", "five thousand")
    assert refused.returncode == 2
    assert "“five thousand” is not a port" in refused.stderr


def test_what_was_installed_is_what_is_locked(checkout: Path) -> None:
    program = "import menagerie, greenlet, xllamacpp; print(menagerie.__file__)"
    run = subprocess.run(
        [checkout / ".venv" / "bin" / "python", "-I", "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(run.stdout.strip()) == checkout / "src" / "menagerie" / "__init__.py"


def test_a_second_set_up_does_nothing_and_takes_no_time(checkout: Path) -> None:
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        again = _run(checkout / "script" / "setup")
        seconds.append(time.perf_counter() - start)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert min(seconds) < 0.1


def test_a_changed_lock_is_installed(checkout: Path) -> None:
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("\n")
    assert "Installing" in _run(checkout / "script" / "setup").stderr
    assert _run(checkout / "script" / "setup").stderr == ""


@pytest.mark.parametrize("lost", ["bin/python", "made-from", "lib", "pyvenv.cfg"])
def test_an_environment_that_is_broken_is_repaired(checkout: Path, lost: str) -> None:
    path = checkout / ".venv" / lost
    if path.is_dir():
        shutil.rmtree(path)
        (checkout / ".venv" / "made-from").unlink()
    else:
        path.unlink()
        if lost == "pyvenv.cfg":
            (checkout / ".venv" / "made-from").unlink()
    repaired = _run(checkout / "script" / "setup")
    assert repaired.returncode == 0, repaired.stderr
    subprocess.run(
        [checkout / ".venv" / "bin" / "python", "-I", "-c", "import menagerie.settings"], check=True
    )


def test_a_moved_checkout_is_set_up_anew(checkout: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    checkout.rename(moved)
    try:
        assert _run(moved / "script" / "setup").returncode == 0
        program = "import menagerie; print(menagerie.__file__)"
        run = subprocess.run(
            [moved / ".venv" / "bin" / "python", "-I", "-c", program],
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.startswith(str(moved))
    finally:
        moved.rename(checkout)


def test_progress_is_told_in_the_language_of_the_locale(checkout: Path) -> None:
    (checkout / ".venv" / "made-from").unlink()
    assert "L’environnement est prêt." in _run(checkout / "script" / "setup", LANG="fr_CA.UTF-8").stderr


def test_a_python_that_is_too_old_is_refused_in_both_languages(checkout: Path, tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    (checkout / ".venv" / "made-from").unlink()
    refused = _run(checkout / "script" / "setup", PYTHON=str(old))
    assert refused.returncode == 1
    assert "is not Python 3.11 or newer" in refused.stderr
    assert "n'est pas Python 3.11 ou plus récent" in refused.stderr


def test_a_python_without_pip_is_told_what_to_install_in_both_languages(tmp_path: Path) -> None:
    folder = _copy(tmp_path / "copy")
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    refused = _run(
        folder / "script" / "setup", PYTHON=str(bare / "bin" / "python"), PATH="/nowhere:/usr/bin:/bin"
    )
    assert refused.returncode == 1
    assert "pip is missing for" in refused.stderr
    assert "Il manque pip pour" in refused.stderr


def test_a_wrong_argument_is_refused() -> None:
    assert _run(ROOT / "script" / "setup", "--fast").returncode == 2


PIP_LISTED = """\
:env:.timeout='60'
global.cert='/etc/ca.pem'
global.extra-index-url='https://a.example/simple file:///opt/simple'
global.index-url='https://someone:hush@mirror.example/simple'
global.no-index='false'
global.timeout='15'
install.find-links='/opt/wheels\\n/srv/wheels'
install.trusted-host='mirror.example'
wheel.wheel-dir='/elsewhere'
"""


def test_uv_is_given_the_index_of_pip() -> None:
    pip = environment.settings_of_pip(PIP_LISTED)
    assert environment.index_of_pip(pip, {}) == {
        "UV_DEFAULT_INDEX": "https://someone:hush@mirror.example/simple",
        "UV_INDEX": "https://a.example/simple file:///opt/simple",
        "UV_FIND_LINKS": "/opt/wheels,/srv/wheels",
        "UV_INSECURE_HOST": "mirror.example",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_HTTP_TIMEOUT": "60",
    }


@pytest.mark.parametrize(
    ("given", "left_alone"),
    [
        ({"UV_DEFAULT_INDEX": "https://b.example/simple"}, "UV_DEFAULT_INDEX"),
        ({"UV_INDEX_URL": "https://b.example/simple"}, "UV_DEFAULT_INDEX"),
        ({"SSL_CERT_FILE": "/etc/b.pem"}, "SSL_CERT_FILE"),
    ],
)
def test_what_was_said_to_uv_itself_stays(given: Mapping[str, str], left_alone: str) -> None:
    pip = environment.settings_of_pip(PIP_LISTED)
    assert left_alone not in environment.index_of_pip(pip, given)


@pytest.mark.parametrize(
    ("proxy", "given", "added"),
    [
        ("proxy.example:3128", {}, {"ALL_PROXY": "http://proxy.example:3128"}),
        ("http://proxy.example:3128", {}, {"ALL_PROXY": "http://proxy.example:3128"}),
        ("http://proxy.example:3128", {"HTTPS_PROXY": "http://other.example"}, {}),
    ],
)
def test_the_proxy_of_pip_serves_uv_unless_one_is_set(
    proxy: str, given: Mapping[str, str], added: Mapping[str, str]
) -> None:
    assert environment.index_of_pip({"proxy": proxy}, given) == added


def test_a_machine_without_any_index_stays_so() -> None:
    assert environment.index_of_pip(environment.settings_of_pip("global.no-index='1'"), {}) == {
        "UV_NO_INDEX": "1"
    }


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-uv.lock"])
def test_a_lock_pins_everything_by_hash_and_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    pinned = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert pinned
    assert [line for line in pinned if "==" not in line or not line.endswith("\\")] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_what_the_project_asks_for(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    asked += project["dependency-groups"]["dev"] if "dev" in lock else []
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE)
    for requirement in map(Requirement, asked):
        versions = [version for name, version in pins if name == canonicalize_name(requirement.name)]
        assert versions, f"{requirement}: script/lock"
        assert all(version in requirement.specifier for version in versions), f"{requirement}: script/lock"


def test_the_tests_run_with_the_versions_that_are_served() -> None:
    def pins(lock: str) -> set[str]:
        lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
        return {line.split()[0] for line in lines if "==" in line and not line.startswith(" ")}

    assert pins("requirements.lock") - pins("requirements-dev.lock") == set()
