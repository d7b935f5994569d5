"""Which build of the text engine fits this machine, and installing it where menagerie runs."""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import importlib.metadata
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from menagerie.models.pip_settings import PipSettings, read_pip_settings
from menagerie.settings_report import MASK

Backend = Literal["cuda", "rocm", "vulkan", "metal", "cpu"]
PACKAGE: Final = "xllamacpp"
BUILD: Final = "{build}"
"""In the address of an index: the name of the build."""

Version = tuple[int, ...]
_CUDA: Final[tuple[tuple[str, Version, Version], ...]] = (
    ("cu132", (13, 2), (7, 5)),
    ("cu128", (12, 8), (5, 0)),
)
"""Builds for CUDA, the newest first: the driver and the GPU that each needs at least."""
_ROCM: Final[tuple[tuple[str, Version], ...]] = (("rocm-7.2.4", (7,)), ("rocm-6.4.1", (6,)))
_ROCM_VERSION: Final = Path("/opt/rocm/.info/version")
_LOOK_SECONDS: Final = 10.0


class Evidence(msgspec.Struct, frozen=True):
    """What speaks for one build or another. Versions are empty where there is no such driver."""

    cuda: Version = ()
    """The newest CUDA that the driver can do."""
    weakest_gpu: Version = ()
    """The least compute capability of the NVIDIA GPUs."""
    rocm: Version = ()
    vulkan: bool = False
    metal: bool = False


class Build(msgspec.Struct, frozen=True):
    """A build of the engine. `name` is its name on the index, empty for one on the ordinary index."""

    backend: Backend
    name: str = ""


def fitting(seen: Evidence, wanted: Backend | None = None) -> Build:
    """The build that fits best, of the back end `wanted` if one is: then the newest if none quite fits."""
    cuda = [name for name, driver, gpu in _CUDA if seen.cuda >= driver and (seen.weakest_gpu or gpu) >= gpu]
    rocm = [name for name, version in _ROCM if seen.rocm >= version]
    match wanted or _best(seen, cuda, rocm):
        case "cuda":
            return Build("cuda", [*cuda, _CUDA[0][0]][0])
        case "rocm":
            return Build("rocm", [*rocm, _ROCM[0][0]][0])
        case "vulkan":
            return Build("vulkan", "vulkan")
        case backend:
            return Build(backend)


def _best(seen: Evidence, cuda: Sequence[str], rocm: Sequence[str]) -> Backend:
    if seen.metal:
        return "metal"
    if cuda:
        return "cuda"
    if rocm:
        return "rocm"
    return "vulkan" if seen.vulkan else "cpu"


def look() -> Evidence:
    """What drivers there are on this machine. Each look is bounded in time."""
    told = _said("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader")
    gpus = re.findall(r"^\s*(\d+)\.(\d+)\s*$", told, re.MULTILINE)
    return Evidence(
        cuda=_version(r"CUDA Version:\s*([\d.]+)", _said("nvidia-smi")) or _cuda_of_driver(),
        weakest_gpu=min(((int(major), int(minor)) for major, minor in gpus), default=()),
        rocm=_version(r"^([\d.]+)", _content(_ROCM_VERSION)) if Path("/dev/kfd").exists() else (),
        vulkan=bool(ctypes.util.find_library("vulkan")) and any(Path("/dev/dri").glob("renderD*")),
        metal=sys.platform == "darwin" and platform.machine() == "arm64",
    )


def command(build: Build, index: str) -> list[str] | None:
    """What installs the build into the environment that menagerie runs in, with the uv or the pip found there; None
    where there is neither. Without its `index` the address is left open: `<…>`."""
    tool = _tool()
    if tool is None:
        return None
    words = [*tool, "--no-deps", "--upgrade"]
    words += ["--reinstall"] if tool[0] != sys.executable else ["--force-reinstall"]
    if build.name:
        words += ["--index-url", address(build, index)]
    return [*words, requirement()]


def shown(words: Sequence[str]) -> str:
    """A command for people to read: no password of an address."""
    return shlex.join(re.sub(r"(?<=://)[^/@\s]+@", f"{MASK}@", word) for word in words)


def address(build: Build, index: str) -> str:
    """The address of the index of one build."""
    return (index or f"<MENAGERIE_ENGINE_INDEX>/{BUILD}").replace(BUILD, build.name)


def requirement() -> str:
    """The package, in the versions that menagerie works with."""
    required = importlib.metadata.requires("menagerie") or []
    return next((one for one in required if re.match(rf"{PACKAGE}\b", one)), PACKAGE)


def documentation() -> str:
    """Where the engine's documentation is, as its package says."""
    try:
        named: list[str] = importlib.metadata.metadata(PACKAGE).get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    addresses: dict[str, str] = {
        name.strip(): url.strip() for name, _, url in (one.partition(",") for one in named)
    }
    return addresses.get("Documentation", "") or addresses.get("Homepage", "")


def install(
    words: Sequence[str], run: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run
) -> bool:
    """Run the command, its output where ours goes. Whether it succeeded."""
    environment = _settings_for_uv(asyncio.run(read_pip_settings()), own_index="--index-url" in words)
    try:
        return run([*words], env=environment | os.environ, check=False).returncode == 0
    except OSError:
        return False


def _settings_for_uv(pip: PipSettings, *, own_index: bool) -> dict[str, str]:
    """What uv has to be told, since it does not read pip's settings. Addresses may hold a password: never shown."""
    ways = {
        "SSL_CERT_FILE": str(pip.certificate or ""),
        "SSL_CLIENT_CERT": str(pip.client_certificate or ""),
        "ALL_PROXY": pip.proxy or "",
        "UV_INSECURE_HOST": " ".join(sorted(pip.trusted_hosts)),
        "UV_SYSTEM_CERTS": "" if pip.certificate else "1",
    }
    places = {
        "UV_DEFAULT_INDEX": "".join(pip.indexes[:1]),
        "UV_INDEX": " ".join(pip.indexes[1:]),
        "UV_FIND_LINKS": ",".join(pip.find_links),
        "UV_NO_INDEX": "1" if pip.find_links and not pip.indexes else "",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    wanted = ways if own_index else ways | places
    return {variable: value for variable, value in wanted.items() if value}


def _tool() -> list[str] | None:
    ours = Path(sys.prefix).parent / ".tools" / "uv" / "bin" / "uv"
    uv = str(ours) if ours.is_file() else shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install"]
    return None


def _said(*words: str) -> str:
    try:
        ran = subprocess.run(words, capture_output=True, timeout=_LOOK_SECONDS, check=False)  # noqa: S603 - fixed
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.decode(errors="replace") if ran.returncode == 0 else ""


def _cuda_of_driver() -> Version:
    """As the driver itself says it (CUDA driver API, `cuDriverGetVersion`), which starts nothing."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        number = ctypes.c_int()
        if driver.cuDriverGetVersion(ctypes.byref(number)):
            return ()
    except (OSError, AttributeError):
        return ()
    return number.value // 1000, number.value % 1000 // 10


def _version(pattern: str, told: str) -> Version:
    found = re.search(pattern, told, re.MULTILINE)
    return tuple(int(part) for part in found[1].split(".") if part) if found else ()


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
