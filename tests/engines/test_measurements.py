"""What was learned of loads corrects what is expected of them, and outlives the service."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from menagerie.engines import measurements
from menagerie.engines.measurements import MOST_FACTS, MOST_SET_ASIDE, Measurements, SetAside
from menagerie.engines.plan import Load


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"\0" * 5_000_000)
    return file


@pytest.fixture
def kept(tmp_path: Path) -> Measurements:
    return Measurements(tmp_path / "data" / "measurements.json")


def load_of(weights: Path | str, *memory: int, cache_mib: int = 100, slots: int = 4) -> Load:
    return Load(str(weights), "m", 2048, 1024, slots, 2, 0, "auto", cache_mib, memory or (1000,))


def test_nothing_is_known_at_first(kept: Measurements, weights: Path) -> None:
    load = load_of(weights)
    assert kept.correct(load) is load
    assert kept.expected_load_s(load) == pytest.approx(0.51)


def test_a_measured_load_takes_the_place_of_the_estimate_and_the_cache_keeps_its_share(
    kept: Measurements, weights: Path
) -> None:
    load = load_of(weights, 1000, 700)
    kept.note_loaded(load, 2.0, 400)
    assert kept.correct(load).memory == (400 + 40 + 100, 700)
    assert kept.correct(load).cache_mib == 100


def test_an_estimate_is_raised_to_what_was_seen(kept: Measurements, weights: Path) -> None:
    load = load_of(weights)
    kept.note_loaded(load, 2.0, 1200)
    assert kept.correct(load).memory == (1300,)
    kept.note_seen(load, 1500)
    assert kept.correct(load).memory == (1500,)
    kept.note_seen(load, 1400)
    assert kept.correct(load).memory == (1500,)


@given(
    st.integers(1, 5000), st.integers(0, 1000), st.lists(st.integers(1, 9000), max_size=4), st.integers(0, 9)
)
def test_a_correction_is_never_below_what_was_measured(
    estimate: int, cache: int, seen: list[int], failures: int
) -> None:
    kept = Measurements()
    load = load_of("/nowhere.gguf", estimate + cache, cache_mib=cache)
    for mib in seen:
        kept.note_loaded(load, 1.0, mib)
        kept.note_seen(load, mib + cache)
    for _ in range(failures):
        kept.note_out_of_memory(load)
    memory = kept.correct(load).memory[0]
    assert memory >= max(seen, default=0) + cache
    assert memory <= 4 * max(estimate, *seen, 1) + cache


def test_after_running_out_of_memory_more_is_expected_within_bounds(
    kept: Measurements, weights: Path
) -> None:
    load = load_of(weights, 1100, 800)
    kept.note_out_of_memory(load)
    assert kept.correct(load).memory == (1350, 1000)
    for _ in range(50):
        kept.note_out_of_memory(load)
    assert kept.correct(load).memory == (4100, 3200)
    for _ in range(20):
        kept.note_loaded(load, 1.0, 900)
    assert kept.correct(load).memory == (1091, 801)


def test_how_long_a_load_takes_is_learned_and_follows_change(kept: Measurements, weights: Path) -> None:
    load, smaller = load_of(weights), load_of(weights, slots=1)
    kept.note_loaded(load, 10.0, 1)
    assert kept.expected_load_s(load) == kept.expected_load_s(smaller) == 10.0
    for _ in range(30):
        kept.note_loaded(load, 2.0, 1)
    assert kept.expected_load_s(load) == pytest.approx(2.0, abs=0.01)


def test_other_weights_under_the_same_name_are_another_model(kept: Measurements, weights: Path) -> None:
    load = load_of(weights)
    kept.note_loaded(load, 9.0, 400)
    os.utime(weights, ns=(1, 1))
    assert kept.correct(load) is load
    assert kept.expected_load_s(load) < 1


def test_facts_outlive_the_service(tmp_path: Path, weights: Path) -> None:
    file, load = tmp_path / "new" / "measurements.json", load_of(weights)
    first = Measurements(file, now=lambda: 5.0)
    first.note_loaded(load, 3.0, 400)
    first.note_set_aside("heron", "model.broken")
    first.save()
    second = Measurements(file)
    assert second.correct(load) == first.correct(load) != load
    assert second.expected_load_s(load) == 3.0
    assert second.set_aside == {"heron": SetAside("model.broken", 5.0)}


def test_nothing_is_written_where_nothing_has_changed(tmp_path: Path, weights: Path) -> None:
    file = tmp_path / "measurements.json"
    kept = Measurements(file)
    kept.save()
    assert not file.exists()
    kept.note_seen(load_of(weights), 1)
    kept.save()
    file.unlink()
    kept.save()
    assert not file.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"facts": {"a": {"loaded_mib": -1}}}',
        b'{"facts": {"a": {"load_s": 1e400}}}',
        b'{"facts": {"a": {"caution": 99}}}',
        b"\xff" * 100,
    ],
)
def test_a_broken_file_is_ignored_and_logged(tmp_path: Path, content: bytes, weights: Path) -> None:
    file = tmp_path / "measurements.json"
    file.write_bytes(content)
    with capture_logs() as logs:
        kept = Measurements(file)
    assert [line["event"] for line in logs] == ["measurements.unreadable"]
    load = load_of(weights)
    assert kept.correct(load) is load
    kept.note_loaded(load, 1.0, 1)
    kept.save()
    assert msgspec.json.decode(file.read_bytes())["facts"]


def test_a_folder_that_cannot_be_written_to_harms_nothing(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "file").touch()
    kept = Measurements(tmp_path / "file" / "measurements.json")
    kept.note_loaded(load_of(weights), 1.0, 1)
    with capture_logs() as logs:
        kept.save()
    assert "measurements.not_saved" in [line["event"] for line in logs]


def test_only_so_much_is_kept_the_oldest_leaves(kept: Measurements, weights: Path) -> None:
    first, last = load_of(weights, slots=1), load_of(weights, slots=MOST_FACTS + 1)
    for slots in range(1, MOST_FACTS + 2):
        kept.note_loaded(load_of(weights, slots=slots), 1.0, 5)
    assert kept.correct(first) is first
    assert kept.correct(last) != last
    for number in range(MOST_SET_ASIDE + 1):
        kept.note_set_aside(str(number), "x")
    assert len(kept.set_aside) == MOST_SET_ASIDE
    assert "0" not in kept.set_aside


def test_what_is_set_aside_is_tried_again_by_name_or_all_at_once(kept: Measurements) -> None:
    for name in ("a", "b", "c"):
        kept.note_set_aside(name, "model.broken")
    kept.clear_set_aside("a")
    assert sorted(kept.set_aside) == ["b", "c"]
    kept.clear_set_aside()
    assert kept.set_aside == {}


def test_the_file_is_in_the_data_folder() -> None:
    assert measurements.FILE_NAME == "measurements.json"
