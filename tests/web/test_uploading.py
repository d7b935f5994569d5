"""How much nobody in particular may send."""

from __future__ import annotations

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.web.uploading import FILES, UploadLimits

HERE, THERE = User(address="192.0.2.1"), User(address="192.0.2.2")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_files_a_minute_come_from_one_address_and_then_more_by_and_by() -> None:
    clock = Clock()
    limits = UploadLimits(1_000_000, clock=clock)
    for _ in range(FILES):
        limits.enter(HERE)

    with pytest.raises(MenagerieError) as refused:
        limits.enter(HERE)

    assert refused.value.code == ErrorCode.FILE_TOO_MANY
    assert refused.value.retry_after == pytest.approx(60 / FILES)
    limits.enter(THERE)
    clock.now += 60 / FILES
    limits.enter(HERE)


def test_large_files_count_by_their_bytes() -> None:
    clock = Clock()
    limits = UploadLimits(1000, clock=clock)
    limits.enter(HERE)
    limits.charge(HERE, 2000)

    with pytest.raises(MenagerieError):
        limits.enter(HERE)

    clock.now += 61
    limits.enter(HERE)


def test_people_with_a_name_are_not_counted() -> None:
    limits = UploadLimits(1)
    for _ in range(2 * FILES):
        limits.enter(User(names=("ann@example.org",)))
        limits.charge(User(names=("ann@example.org",)), 1000)

    assert len(limits) == 0


def test_what_is_whole_again_is_forgotten() -> None:
    clock = Clock()
    limits = UploadLimits(1000, clock=clock)
    for number in range(1000):
        limits.enter(User(address=f"198.51.{number // 256}.{number % 256}"))
        clock.now += 1

    assert len(limits) <= 256
