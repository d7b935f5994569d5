"""What is seen of a machine, and what engines may use of it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from menagerie.engines import cgroup
from menagerie.engines.devices import (
    Findings,
    LibraryDevice,
    Memory,
    Report,
    ask_library,
    detect,
    look_at_memory,
    machine_of,
    may_have_gpu,
)
from menagerie.engines.plan import MIB
from menagerie.settings import Settings

GIB = 1024
CPU = LibraryDevice("CPU", "a processor", "cpu", 8 * GIB * MIB, 8 * GIB * MIB)


def gpu(name: str, free_mib: int, kind: str = "gpu") -> LibraryDevice:
    return LibraryDevice(name, f"the {name}", kind, free_mib * MIB, 2 * free_mib * MIB)


def found(*devices: LibraryDevice, available_mib: int = 32 * GIB) -> Findings:
    return Findings(8, Memory(32 * GIB, available_mib), Report("1", "", (CPU, *devices)))


class TestBudgets:
    def test_memory_is_three_quarters_but_never_more_than_what_others_leave(self) -> None:
        assert machine_of(found(), Settings()).devices[0].budget_mib == 24 * GIB
        assert machine_of(found(available_mib=10 * GIB), Settings()).devices[0].budget_mib == 9 * GIB

    def test_what_is_set_is_believed(self) -> None:
        settings = Settings(engine_memory=5000, gpu_memory=3000, llm_cpu_threads=3)
        machine = machine_of(found(gpu("CUDA0", 24 * GIB), available_mib=100), settings)
        assert [device.budget_mib for device in machine.devices] == [5000, 3000]
        assert machine.cores == 3

    def test_a_gpu_keeps_a_tenth_free_and_half_a_gibibyte_at_least(self) -> None:
        machine = machine_of(found(gpu("CUDA0", 20_000), gpu("CUDA1", 4000), gpu("CUDA2", 100)), Settings())
        assert [device.name for device in machine.devices] == ["ram", "gpu0", "gpu1", "gpu2"]
        assert [device.budget_mib for device in machine.devices[1:]] == [18_000, 3488, 0]
        assert machine.devices[1].total_mib == 40_000
        assert machine.devices[1].description == "the CUDA0"

    @pytest.mark.parametrize("device", [gpu("MTL0", 16_000), gpu("Metal", 16_000), gpu("Vulkan0", 9, "igpu")])
    def test_a_gpu_in_the_memory_of_the_machine_is_not_counted_twice(self, device: LibraryDevice) -> None:
        machine = machine_of(found(device), Settings())
        assert [one.name for one in machine.devices] == ["ram"]
        assert machine.shared_gpu

    def test_a_gpu_with_a_memory_of_its_own_goes_before_one_without(self) -> None:
        machine = machine_of(found(gpu("Vulkan0", 9000, "igpu"), gpu("Vulkan1", 16_000)), Settings())
        assert [one.description for one in machine.devices[1:]] == ["the Vulkan1"]
        assert not machine.shared_gpu

    def test_a_budget_of_nothing_leaves_every_gpu_alone(self) -> None:
        none = Settings(gpu_memory=0)
        assert len(machine_of(found(gpu("CUDA0", 9000)), none).devices) == 1
        assert not machine_of(found(gpu("MTL0", 9000)), none).shared_gpu


class TestTheLibrary:
    def test_its_program_tells_version_back_ends_and_devices(self) -> None:
        report = ask_library()
        assert report.failure == ""
        assert report.version
        assert "CPU" in report.backends
        assert any(device.kind == "cpu" and device.total > 0 for device in report.devices)

    def test_a_library_that_crashes_costs_the_gpus_and_nothing_else(self) -> None:
        crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
        assert ask_library([sys.executable, "-c", crash]) == Report(failure="crashed")
        assert ask_library([sys.executable, "-c", "print('nonsense')"]) == Report(failure="crashed")
        assert ask_library(["/nowhere"]) == Report(failure="crashed")

    def test_a_library_that_hangs_is_given_up(self) -> None:
        began = time.monotonic()
        assert ask_library([sys.executable, "-c", "import time; time.sleep(60)"], 0.5).failure == "late"
        assert time.monotonic() - began < 10

    def test_it_is_told_no_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MENAGERIE_HUB_TOKEN", "hush")
        tell = "import json, os; print(json.dumps({'version': os.environ.get('MENAGERIE_HUB_TOKEN', 'nothing')}))"
        assert ask_library([sys.executable, "-c", tell]).version == "nothing"

    def test_it_is_never_loaded_into_this_process(self) -> None:
        code = (
            "import sys; from menagerie.engines.devices import look; look(skip_hopeless=False);"
            "print('xllamacpp' in sys.modules)"
        )
        ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "False"

    def test_back_ends_are_named_by_what_the_library_says_of_itself_and_by_its_devices(self) -> None:
        system = "CUDA : ARCHS = 500,610 | USE_GRAPHS = 1 | CPU : SSE3 = 1 | AVX = 1 | "
        report = Report(system=system, devices=(gpu("CUDA0", 1), gpu("Vulkan0", 1), CPU))
        assert report.backends == ("CUDA", "CPU", "Vulkan")


def test_without_a_sign_of_a_gpu_nothing_is_started(tmp_path: Path) -> None:
    assert not may_have_gpu("linux", tmp_path)
    assert may_have_gpu("darwin", tmp_path)
    (tmp_path / "nvidia0").touch()
    assert may_have_gpu("linux", tmp_path)


def test_the_machine_that_this_runs_on_is_told() -> None:
    machine = detect(Settings())
    assert 1 <= machine.cores <= (psutil.cpu_count() or 1)
    memory = machine.devices[0]
    assert 0 < memory.budget_mib < memory.total_mib <= psutil.virtual_memory().total // MIB


class TestControlGroups:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path

    def write(self, root: Path, files: dict[str, str]) -> None:
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content, encoding="utf-8")

    def test_the_tightest_limit_above_us_counts_and_the_page_cache_is_free(self, root: Path) -> None:
        group = "sys/fs/cgroup/app.slice"
        self.write(
            root,
            {
                "proc/self/cgroup": "0::/app.slice/menagerie.service\n",
                f"{group}/memory.max": f"{4096 * MIB}\n",
                f"{group}/memory.current": f"{3000 * MIB}\n",
                f"{group}/memory.stat": f"anon 5\ninactive_file {500 * MIB}\nactive_file {500 * MIB}\n",
                f"{group}/menagerie.service/memory.max": "max\n",
                f"{group}/cpu.max": "150000 100000\n",
                f"{group}/menagerie.service/cpu.max": "max 100000\n",
            },
        )
        assert cgroup.memory(root) == cgroup.MemoryLimit(4096 * MIB, 2096 * MIB)
        assert cgroup.cores(root) == 2

    def test_version_1_is_read_too_seen_from_inside_a_container(self, root: Path) -> None:
        self.write(
            root,
            {
                "proc/self/cgroup": "12:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(1000 * MIB),
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(400 * MIB),
                "sys/fs/cgroup/memory/memory.stat": f"total_inactive_file {100 * MIB}",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
        )
        assert cgroup.memory(root) == cgroup.MemoryLimit(1000 * MIB, 700 * MIB)
        assert cgroup.cores(root) == 3

    @pytest.mark.parametrize("line", ["", "0::/", "nonsense", "0::/../../etc", "1:memory"])
    def test_no_limit_is_no_limit(self, root: Path, line: str) -> None:
        self.write(root, {"proc/self/cgroup": line, "sys/fs/cgroup/memory/memory.limit_in_bytes": "x"})
        assert cgroup.memory(root) is None
        assert cgroup.cores(root) is None

    def test_a_container_with_less_memory_than_the_machine_is_what_counts(self, root: Path) -> None:
        self.write(root, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": str(100 * MIB)})
        assert look_at_memory(root) == Memory(100, 100, "container")
        self.write(root, {"sys/fs/cgroup/memory.max": str(2**62)})
        assert msgspec.structs.asdict(look_at_memory(root))["limit"] == "machine"
