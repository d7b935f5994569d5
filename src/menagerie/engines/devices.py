"""What there is to compute with: cores, the machine's memory, GPUs. Looking and deciding are apart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec
import psutil
import structlog

from menagerie.engines import cgroup
from menagerie.engines.child import without_secrets
from menagerie.engines.plan import MIB, Device, Machine, memory_budget_mib
from menagerie.settings import Settings

_PROBE: Final = Path(__file__).parent / "workers" / "probe.py"
_PROBE_SECONDS: Final = 20.0
_GPU_NODES: Final = ("nvidia[0-9]*", "nvidiactl", "kfd", "dri/*", "dxg", "nvgpu*", "nvhost*")
"""What a Linux system has in /dev where a GPU can be computed with; NVIDIA, AMD, any, WSL, Tegra."""
_UNIFIED: Final = ("Metal", "MTL")
_MARGIN: Final = 10
"""One tenth of a GPU's free memory is left alone."""
_LEAST_MARGIN_MIB: Final = 512
_AVAILABLE_PERCENT: Final = 90
"""What others leave of the machine's memory is not used up to the last page."""

Limit = Literal["machine", "container"]
Failure = Literal["", "skipped", "crashed", "late"]
"""Why the library told nothing of GPUs: there is no sign of one, its program failed, or took too long."""

log = structlog.get_logger("menagerie.engines")


class Memory(msgspec.Struct, frozen=True):
    """The memory that programs here may use, and how much of it is free or can be had back from the page cache."""

    total_mib: int
    available_mib: int
    limit: Limit = "machine"


class LibraryDevice(msgspec.Struct, frozen=True):
    """A device as the native library tells it: `kind` is cpu, gpu, igpu or accel; sizes in bytes."""

    name: str
    description: str
    kind: str
    free: int
    total: int

    @property
    def shares_memory(self) -> bool:
        """Whether it computes in the machine's own memory."""
        return self.kind == "igpu" or self.name.startswith(_UNIFIED)


class Report(msgspec.Struct, frozen=True):
    """What the native library says: its version, its back ends with what they can do, the devices it sees."""

    version: str = ""
    system: str = ""
    devices: tuple[LibraryDevice, ...] = ()
    failure: Failure = ""

    @property
    def gpus(self) -> tuple[LibraryDevice, ...]:
        """The GPUs that it computes on: those with a memory of their own, else one that shares the machine's."""
        found = [device for device in self.devices if device.kind in ("gpu", "igpu")]
        own = [gpu for gpu in found if not gpu.shares_memory]
        return tuple(own or found[:1])

    @property
    def backends(self) -> tuple[str, ...]:
        """The names of its back ends, such as CPU, CUDA, Vulkan."""
        told = (part.split("|")[-1].strip() for part in self.system.split(" :")[:-1])
        seen = (device.name.rstrip("0123456789") for device in self.devices)
        return tuple(dict.fromkeys(name for name in (*told, *seen) if name))


class Findings(msgspec.Struct, frozen=True):
    """All that was seen of a machine."""

    cores: int
    memory: Memory
    report: Report


def detect(settings: Settings) -> Machine:
    """The machine as it is now, with the budgets of the settings. Blocks, up to a quarter of a second where there is
    a GPU: for a thread, beside the rest of the start."""
    return machine_of(look(), settings)


def look(*, skip_hopeless: bool = True) -> Findings:
    """Look at the machine. `skip_hopeless` spares the library's program where the system shows no sign of a GPU."""
    skip = skip_hopeless and not may_have_gpu()
    return Findings(_cores(), look_at_memory(), Report(failure="skipped") if skip else ask_library())


def machine_of(found: Findings, settings: Settings) -> Machine:
    """The machine that was seen, and what engines may use of it."""
    memory = found.memory
    budget = memory_budget_mib(memory.total_mib, settings.engine_memory)
    if settings.engine_memory is None:
        budget = max(1, min(budget, memory.available_mib * _AVAILABLE_PERCENT // 100))
    gpus = found.report.gpus if settings.gpu_memory != 0 else ()
    shared = any(gpu.shares_memory for gpu in gpus)
    return Machine(
        cores=settings.llm_cpu_threads or found.cores,
        devices=(
            Device("ram", memory.total_mib, budget),
            *(
                Device(f"gpu{number}", gpu.total // MIB, _gpu_budget_mib(gpu, settings), gpu.description)
                for number, gpu in enumerate(() if shared else gpus)
            ),
        ),
        shared_gpu=shared,
    )


def may_have_gpu(system: str = sys.platform, nodes: Path = Path("/dev")) -> bool:
    """Whether there may be a GPU at all: on Linux one has a node among the system's devices."""
    return system != "linux" or any(any(nodes.glob(pattern)) for pattern in _GPU_NODES)


def look_at_memory(root: Path = Path("/")) -> Memory:
    """The machine's memory, or that of the container we are in, where it has less."""
    machine = psutil.virtual_memory()
    limit = cgroup.memory(root)
    if limit is None or limit.total >= machine.total:
        return Memory(machine.total // MIB, machine.available // MIB)
    return Memory(limit.total // MIB, min(machine.available, limit.available) // MIB, "container")


def ask_library(command: Iterable[str] = (), seconds: float = _PROBE_SECONDS) -> Report:
    """What the native library says, asked in a process of its own: drivers crash and hang. Never raises."""
    words = [*command] or [sys.executable, "-I", str(_PROBE)]
    try:
        asked = subprocess.run(  # noqa: S603 - a program of ours
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=without_secrets(os.environ),
            check=False,
        )
        return msgspec.json.decode(asked.stdout, type=Report)
    except subprocess.TimeoutExpired:
        log.warning("devices.probe_late", seconds=seconds)
        return Report(failure="late")
    except OSError as failure:
        log.warning("devices.no_probe", failure=str(failure))
    except msgspec.DecodeError:
        last = asked.stderr.decode(errors="replace").splitlines()[-5:]
        log.warning("devices.probe_failed", status=asked.returncode, last_words="\n".join(last))
    return Report(failure="crashed")


def _gpu_budget_mib(gpu: LibraryDevice, settings: Settings) -> int:
    if settings.gpu_memory is not None:
        return settings.gpu_memory
    free = gpu.free // MIB
    return max(0, free - max(free // _MARGIN, _LEAST_MARGIN_MIB))


def _cores() -> int:
    """Physical cores, or as many as we may run on, where those are fewer."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    quota = cgroup.cores()
    return max(1, cores if quota is None else min(cores, quota))
