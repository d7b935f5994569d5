"""What was fetched and is kept: how much of it, where, and what is not believed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from menagerie.net.cache import HOT, Entry, PageCache
from menagerie.settings import Settings

MIB = 1024 * 1024


def entry(key: str, size: int = 10) -> Entry:
    return Entry(key, f"http://example.org/{key}", {"etag": '"a"'}, ("192.0.2.1",), body=b"a" * size)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)


async def there(cache: PageCache, *keys: str) -> list[str]:
    return [key for key in keys if await cache.find(key)]


async def test_what_is_kept_is_found_again_also_by_the_next_service(tmp_path: Path) -> None:
    cache = PageCache(tmp_path / "fetched", MIB)
    await cache.keep(entry("a"))
    assert await cache.find("a") == entry("a")
    assert await PageCache(tmp_path / "fetched", MIB).find("a") == entry("a")
    assert await cache.find("b") is None


async def test_nobody_else_on_the_machine_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir(mode=0o755)
    cache = PageCache(folder, MIB)
    await cache.keep(entry("a"))
    assert [path.stat().st_mode & 0o777 for path in (folder, *files(folder))] == [0o700, 0o600]


async def test_the_least_recently_used_leaves_first(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, 3 * MIB)
    for key in "abc":
        await cache.keep(entry(key, MIB - 4096))
    assert await cache.find("a")
    await cache.keep(entry("d", MIB - 4096))
    assert await there(cache, *"abcd") == ["a", "c", "d"]
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 3 * MIB


async def test_the_next_service_knows_what_was_used_and_keeps_within_a_smaller_bound(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, 3 * MIB)
    for key in "ab":
        await cache.keep(entry(key, MIB - 4096))
        time.sleep(0.02)  # noqa: ASYNC251 - a file system's clock
    assert await PageCache(tmp_path, 3 * MIB).find("a")
    assert await there(PageCache(tmp_path, MIB), "a", "b") == ["a"]
    assert len(files(tmp_path)) == 1


async def test_what_is_larger_than_all_of_it_is_not_kept(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, MIB)
    await cache.keep(entry("a"))
    await cache.keep(entry("b", MIB))
    assert await there(cache, "a", "b") == ["a"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x00" * 4096])
async def test_a_damaged_file_was_never_there_and_is_gone(tmp_path: Path, damage: bytes) -> None:
    await PageCache(tmp_path, MIB).keep(entry("a"))
    files(tmp_path)[0].write_bytes(damage)
    assert await PageCache(tmp_path, MIB).find("a") is None
    assert files(tmp_path) == []


async def test_one_changed_byte_is_damage(tmp_path: Path) -> None:
    await PageCache(tmp_path, MIB).keep(entry("a"))
    path = files(tmp_path)[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert await PageCache(tmp_path, MIB).find("a") is None


async def test_an_entry_that_took_the_place_of_another_is_not_taken_for_it(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, MIB)
    await cache.keep(entry("a"))
    first = files(tmp_path)[0]
    await cache.keep(entry("b"))
    second = next(path for path in files(tmp_path) if path != first)
    second.replace(first)
    assert await PageCache(tmp_path, MIB).find("a") is None


async def test_a_file_that_somebody_deleted_is_a_miss(tmp_path: Path) -> None:
    await PageCache(tmp_path, MIB).keep(entry("a"))
    cache = PageCache(tmp_path, MIB)
    assert await cache.find("b") is None
    files(tmp_path)[0].unlink()
    assert await cache.find("a") is None


async def test_a_folder_that_cannot_be_written_to_keeps_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = PageCache(tmp_path / "file" / "fetched", MIB)
    await cache.keep(entry("a"))
    assert await cache.find("a") is None


async def test_what_is_dropped_is_gone_from_memory_and_from_the_folder(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, MIB)
    await cache.keep(entry("a"))
    await cache.drop("a")
    await cache.drop("a")
    assert await cache.find("a") is None
    assert files(tmp_path) == []


async def test_memory_holds_no_more_than_its_part(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, 4 * HOT)
    for number in range(12):
        await cache.keep(entry(f"{number}", HOT // 4 - 4096))
    await cache.keep(entry("large", HOT // 2))
    assert cache._hot_bytes == sum(len(one.body) + 512 for one in cache._hot.values()) <= HOT
    assert "large" not in {one.key for one in cache._hot.values()}
    assert await cache.find("large")


def test_settings_say_how_much_and_nothing_at_all(tmp_path: Path) -> None:
    assert PageCache.of(Settings(data=tmp_path, fetch_cache=0)) is None
    assert PageCache.of(Settings(data=tmp_path)) is not None
