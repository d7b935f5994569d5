"""Make .venv from the lock files: what `script/setup` runs when something changed. Standard library only.

`environment.py KIND MADE_FROM` makes the environment `run` or `dev` and notes MADE_FROM in it;
`environment.py uv ARGUMENTS…` runs uv with the package index of this machine's pip.

uv does not read pip's configuration, so `index_of_pip` translates it. Addresses may hold passwords: they go into
the environment of uv and are never printed.
"""

from __future__ import annotations

import ast
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MADE_FROM = VENV / "made-from"
TOOLS = ROOT / ".tools"
PAGES = ROOT / "ui" / "build.py"
PAGES_BUILT = ROOT / "src" / "menagerie" / "web" / "built" / "made-from"
UV_LOCK = ROOT / "requirements-uv.lock"
LOCKS = {"run": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}

PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}


class SetupError(Exception):
    """The environment cannot be made. Its arguments: the key of the text, and its values."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


def text(key: str, language: str, **values: object) -> str:
    """A text of the catalogues, read as the plain JSON that they are."""
    catalogue = ROOT / "src" / "menagerie" / "locales" / language / "setup.json"
    found: str = json.loads(catalogue.read_text(encoding="utf-8"))[f"setup.{key}"]
    return found.format(**values)


def language_of(environment: Mapping[str, str]) -> str:
    """`fr` where the locale or MENAGERIE_LANGUAGE says so, else `en`."""
    locale = next(
        (environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), ""
    )
    tag = locale if locale[:2].lower() in ("en", "fr") else environment.get("MENAGERIE_LANGUAGE", "")
    return "fr" if tag[:2].lower() == "fr" else "en"


def say(key: str, **values: object) -> None:
    """A line of progress, in the language of the person."""
    print(text(key, language_of(os.environ), **values), file=sys.stderr, flush=True)


def settings_of_pip(listed: str) -> dict[str, str]:
    """The options in the output of `pip config list`, by name without section. The environment wins over a section
    of `pip install`, and that over the global one, as in pip."""
    ranks = {"global": 0, "install": 1, ":env:": 2}
    found: dict[str, tuple[int, str]] = {}
    for line in listed.splitlines():
        where, _, value = line.partition("=")
        section, _, option = where.strip().rpartition(".")
        if section not in ranks or not value:
            continue
        try:
            plain = str(ast.literal_eval(value))
        except (ValueError, SyntaxError):
            continue
        option = option.replace("_", "-").lower()
        if ranks[section] >= found.get(option, (-1, ""))[0]:
            found[option] = (ranks[section], plain)
    return {option: value for option, (_, value) in found.items()}


def index_of_pip(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment of uv so that it uses pip's index. What is already said to uv stays."""
    added: dict[str, str] = {}
    for option, variable in PIP_TO_UV.items():
        value = " ".join(pip.get(option, "").split())
        if not value or variable in environment:
            continue
        if option == "find-links":
            value = value.replace(" ", ",")
        if option == "no-index" and value.lower() not in ("1", "true", "yes", "on"):
            continue
        if option == "proxy" and any(
            name in environment for name in ("HTTPS_PROXY", "https_proxy", "all_proxy")
        ):
            continue
        added[variable] = f"http://{value}" if option == "proxy" and "://" not in value else value
    if "UV_INDEX_URL" in environment:
        added.pop("UV_DEFAULT_INDEX", None)
    return added


def environment_of_uv() -> dict[str, str]:
    """The environment to run uv in: this machine's index and Python, and a cache that can be written to."""
    try:
        pip = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired:
        pip = ""
    environment = dict(os.environ)
    environment |= index_of_pip(settings_of_pip(pip), environment)
    if "SSL_CERT_FILE" not in environment:
        environment.setdefault("UV_SYSTEM_CERTS", "1")  # as pip does
    # An index may lack most packages or hold other builds of them: the hashes of the lock decide, not the order.
    environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    for inherited in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH"):
        environment.pop(inherited, None)
    if "UV_CACHE_DIR" not in environment and not _is_writable(_cache_of_the_user()):
        environment["UV_CACHE_DIR"] = str(TOOLS / "cache")
    return environment


def _cache_of_the_user() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 (never raises)


def _is_writable(folder: Path) -> bool:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def find_uv() -> str:
    """A uv that is at least the pinned one: ours, or the machine's; else pip brings it.

    Raises `SetupError` where there is no pip, or pip cannot bring it.
    """
    line = next(line for line in UV_LOCK.read_text(encoding="utf-8").splitlines() if line.startswith("uv=="))
    pinned = line.split("==")[1].split()[0]
    ours = TOOLS / "uv" / "bin" / "uv"
    for candidate in (str(ours), shutil.which("uv")):
        if candidate and _version(candidate) >= _numbers(pinned):
            return candidate
    if subprocess.run([sys.executable, "-c", "import pip"], capture_output=True, check=False).returncode:
        raise SetupError("pip_missing", python=sys.executable)
    say("bringing_uv", version=pinned)
    shutil.rmtree(TOOLS / "uv", ignore_errors=True)
    # --target: works on a system whose Python is managed from outside (PEP 668), and without the module venv.
    loudness = [] if sys.stderr.isatty() else ["-qq"]
    pip = [
        "-m",
        "pip",
        "install",
        *loudness,
        "--disable-pip-version-check",
        "--no-input",
        "--only-binary=:all:",
    ]
    target = ["--no-deps", "--require-hashes", "--requirement", str(UV_LOCK), "--target", str(TOOLS / "uv")]
    if subprocess.run([sys.executable, *pip, *target], check=False).returncode or not _version(str(ours)):
        raise SetupError("uv_missing", version=pinned)
    return str(ours)


def _version(uv: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run(
            [uv, "--version"], capture_output=True, text=True, check=False, timeout=60
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.match(r"uv (\d+\.\d+\.\d+)", answer)
    return _numbers(found[1]) if found else ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3])


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the lock of this checkout. The system lets go of it when we end, in whatever way."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made(kind: str, made_from: str) -> list[str]:
    """The lines of the note in a finished environment: its kind, its interpreter, and what it was made from."""
    return [kind, str(PYTHON.stat().st_ino), made_from]


def make(kind: str, made_from: str) -> None:
    """Make the environment, unless another process did so while we waited. Raises `SetupError`."""
    already = MADE_FROM.read_text(encoding="utf-8").splitlines() if MADE_FROM.exists() else []
    stands = _works() and PAGES_BUILT.exists()
    if stands and already in (made(kind, made_from), made("dev", made_from)):
        return
    if already and already[0] == "dev":
        kind = "dev"
    MADE_FROM.unlink(missing_ok=True)
    uv, environment = find_uv(), environment_of_uv()

    def run(key: str, *arguments: str) -> None:
        if subprocess.run([uv, *arguments], env=environment, cwd=ROOT, check=False).returncode:
            raise SetupError(key)

    if not already or not _works():  # without the note it was never finished, and nobody knows what is in it
        say("making")
        if VENV.is_symlink():
            VENV.unlink()
        elif VENV.exists():  # uv does not replace what it does not take for an environment
            shutil.rmtree(VENV)
        run("venv_failed", "venv", "--quiet", "--no-project", "--python", sys.executable, str(VENV))
    say("installing")
    here = ("--python", str(PYTHON))
    # sync, not install: a library that nothing asks for any more can still change what others do.
    run("install_failed", "pip", "sync", *here, "--require-hashes", str(LOCKS[kind]))
    say("building_pages")
    if subprocess.run([PYTHON, "-I", PAGES], cwd=ROOT, check=False).returncode:
        raise SetupError("pages_failed")
    ours = ("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    run("build_failed", "pip", "install", *here, "--quiet", *ours)
    MADE_FROM.write_text("\n".join(made(kind, made_from)) + "\n", encoding="utf-8")
    say("made")


def _works() -> bool:
    """Whether .venv has a Python that starts, is new enough, finds its own libraries, and stands where it was made."""
    question = """if 1:
        import sys, sysconfig, os
        known = sys.version_info >= (3, 11) and sys.prefix != sys.base_prefix
        print(sys.prefix if known and os.path.isdir(sysconfig.get_path("purelib")) else "")
    """
    try:
        answer = subprocess.run(
            [PYTHON, "-I", "-c", question], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == str(VENV)


def main(arguments: list[str]) -> int:
    """The exit code: 0, or 1 after telling in both languages what is wrong and what to do."""
    try:
        if arguments[0] == "uv":
            with one_at_a_time():
                uv = find_uv()
            return subprocess.run([uv, *arguments[1:]], env=environment_of_uv(), check=False).returncode
        with one_at_a_time():
            make(*arguments)
    except SetupError as failure:
        for language in ("en", "fr"):
            print(text(failure.key, language, **failure.values), file=sys.stderr)
        return 1
    except OSError as failure:
        for language in ("en", "fr"):
            print(text("system", language, problem=failure), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
