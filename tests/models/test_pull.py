"""Pulls from an address and from a hub: checked, resumed, once."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models import download
from menagerie.models.catalogue import Catalogue
from menagerie.models.pull import Stage, pull, pull_with_bar
from menagerie.models.wish import ModelWish
from menagerie.settings import Settings
from tests.models.stand_ins import Site, assert_told, hub_tree, sha256

REPO = "org/tiny-GGUF"
FILE = "/files/tiny.Q4.gguf"


def at(site: Site, content: bytes, path: str = FILE) -> ModelWish:
    return ModelWish(kind="url", url=site.address(path), sha256=sha256(content))


def leftovers(catalogue: Catalogue) -> list[str]:
    return sorted(
        path.name for path in catalogue.folder.rglob("*") if ".part" in path.name or ".new" in path.name
    )


async def test_a_model_at_an_address_arrives_verified_and_is_found(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    seen: list[tuple[int, int | None, Stage]] = []
    async with Site({FILE: tiny}) as site:
        wish = at(site, tiny)
        assert catalogue.find(wish) is None
        model = await pull(wish, catalogue, settings, lambda *step: seen.append(step))
        again = await pull(wish, catalogue, settings)
    assert model.path.read_bytes() == tiny
    assert (model.name, model.sha256, model.source) == ("tiny.Q4", sha256(tiny), wish.label)
    assert again == model == catalogue.find(wish)
    assert len(site.asked) == 1
    assert (len(tiny), len(tiny), "downloading") in seen
    assert seen[0][2] == "resolving"
    assert leftovers(catalogue) == []


async def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with Site({FILE: tiny}) as site:
        site.break_at = [700_000, 100_000]
        model = await pull(at(site, tiny), catalogue, settings)
    assert model.path.read_bytes() == tiny
    assert [request.headers.get("Range") for request in site.asked] == [
        None,
        "bytes=700000-",
        "bytes=800000-",
    ]
    assert site.asked[1].headers["If-Range"] == '"first"'


async def test_the_next_pull_goes_on_where_a_failed_one_stopped(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with Site({FILE: tiny}) as site:
        site.break_at = [600_000, *[0] * download.ATTEMPTS]
        with pytest.raises(MenagerieError) as caught:
            await pull(at(site, tiny), catalogue, settings)
        assert_told(caught, ErrorCode.MODEL_DOWNLOAD_FAILED, "network_interrupted")
        assert catalogue.find(at(site, tiny)) is None
        model = await pull(at(site, tiny), catalogue, settings)
    assert model.path.read_bytes() == tiny
    assert site.asked[-1].headers["Range"] == "bytes=600000-"


async def test_a_cancelled_pull_keeps_what_arrived_and_lets_the_next_one_in(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    arrived = asyncio.Event()

    def watch(done: int, _total: int | None, _stage: Stage) -> None:
        if done:
            arrived.set()

    large = tiny + b"x" * 2**21
    async with Site({FILE: large}) as site:
        site.pause = 0.02
        pulling = asyncio.create_task(pull(at(site, large), catalogue, settings, watch))
        await asyncio.wait_for(arrived.wait(), 10)
        pulling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pulling
        site.pause = 0
        model = await asyncio.wait_for(pull(at(site, large), catalogue, settings), 10)
    assert model.path.read_bytes() == large
    assert int(site.asked[-1].headers["Range"].removeprefix("bytes=").removesuffix("-")) >= 2**20


@pytest.mark.parametrize("changed", [False, True])
async def test_a_server_that_sends_everything_again_is_taken_at_its_word(
    tiny: bytes, catalogue: Catalogue, settings: Settings, *, changed: bool
) -> None:
    async with Site({FILE: tiny}) as site:
        site.break_at = [700_000]
        site.ranges = changed
        pulling = asyncio.create_task(pull(at(site, tiny), catalogue, settings))
        await asyncio.wait_for(site.begun.wait(), 10)
        site.entity = "second" if changed else "first"
        model = await pulling
    assert model.path.read_bytes() == tiny


async def test_a_damaged_beginning_is_fetched_again_once(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with Site({FILE: tiny}) as site:
        wish = at(site, tiny)
        part = catalogue.place(wish) / ".tiny.Q4.gguf.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"?" * 5000)
        model = await pull(wish, catalogue, settings)
    assert model.path.read_bytes() == tiny
    assert [request.headers.get("Range") for request in site.asked] == ["bytes=5000-", None]


async def test_another_content_than_wished_is_discarded(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with Site({FILE: tiny + b"!"}) as site:
        with pytest.raises(MenagerieError) as caught:
            await pull(at(site, tiny), catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_HASH_MISMATCH, "hash")
    assert catalogue.installed() == []
    assert leftovers(catalogue) == []


async def test_what_is_no_model_is_discarded_although_its_hash_is_right(
    catalogue: Catalogue, settings: Settings
) -> None:
    page = b"<!doctype html>" * 100
    async with Site({FILE: page}) as site:
        with pytest.raises(MenagerieError) as caught:
            await pull(at(site, page), catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_BROKEN, "magic")
    assert leftovers(catalogue) == []
    assert list(catalogue.folder.rglob("*.gguf")) == []


class Usage(NamedTuple):
    total: int
    used: int
    free: int


async def test_a_full_disk_is_told_before_anything_is_fetched(
    tiny: bytes, catalogue: Catalogue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12, download.DISK_RESERVE))
    async with Site({FILE: tiny}) as site:
        with pytest.raises(MenagerieError) as caught:
            await pull(at(site, tiny), catalogue, settings)
    assert_told(caught, ErrorCode.DISK_FULL, "disk")
    assert caught.value.values["needed_bytes"] == download.DISK_RESERVE + len(tiny)
    assert "33.6\N{NO-BREAK SPACE}MB" in caught.value.message("en")
    assert "33,6\N{NO-BREAK SPACE}Mo" in caught.value.message("fr")


async def test_passing_failures_are_tried_again_and_lasting_ones_told(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with Site({FILE: tiny}) as site:
        site.status = [404]
        with pytest.raises(MenagerieError) as caught:
            await pull(at(site, tiny), catalogue, settings)
        assert_told(caught, ErrorCode.MODEL_DOWNLOAD_FAILED, "network_absent")
        site.status = [503, 429]
        assert await pull(at(site, tiny), catalogue, settings)
    assert len(site.asked) == 1 + 3


async def test_two_pulls_in_one_process_are_one_download(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with Site({FILE: tiny}) as site:
        site.pause = 0.01
        wish = at(site, tiny)
        stages: list[Stage] = []
        first, second = await asyncio.gather(
            pull(wish, catalogue, settings),
            pull(wish, Catalogue(catalogue.folder), settings, lambda *step: stages.append(step[2])),
        )
    assert first == second
    assert "waiting" in stages
    assert len(site.asked) == 1


PROCESS = """
import asyncio, sys
from pathlib import Path
from menagerie.models.catalogue import Catalogue
from menagerie.models.pull import pull
from menagerie.models.wish import parse_wish
from menagerie.settings import Settings
model = asyncio.run(pull(parse_wish(sys.argv[1]), Catalogue(Path(sys.argv[2])), Settings()))
print(model.sha256)
"""


async def test_two_processes_at_once_are_one_download_even_if_one_is_killed(
    tiny: bytes, catalogue: Catalogue
) -> None:
    async with Site({FILE: tiny}) as site:
        site.pause = 0.1
        command = [sys.executable, "-c", PROCESS, at(site, tiny).label, str(catalogue.folder)]
        killed = await asyncio.create_subprocess_exec(*command)
        await asyncio.wait_for(site.begun.wait(), 30)
        others = [
            await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(2)
        ]
        await asyncio.sleep(0.5)
        killed.kill()
        await killed.wait()
        outputs = await asyncio.wait_for(asyncio.gather(*(other.communicate() for other in others)), 60)
    assert [output.decode().strip() for output, _ in outputs] == [sha256(tiny)] * 2
    assert len(site.asked) == 2
    assert leftovers(catalogue) == []


async def test_a_hub_gives_the_file_that_fits_the_glob_and_checks_it(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    wish = ModelWish(kind="hub", repo=REPO, filename="*q4_k_m.gguf")
    async with hub(tiny) as site:
        model = await pull(wish, catalogue, with_hub(settings, site))
        assert model == catalogue.find(wish)
        site.files[f"/{REPO}/resolve/main/tiny-Q8_0.gguf"] = tiny[:-1] + b"!"
        with pytest.raises(MenagerieError) as caught:
            await pull(ModelWish(kind="hub", repo=REPO, filename="*Q8*"), catalogue, with_hub(settings, site))
    assert model.name == "tiny-Q4_K_M"
    assert model.source == "hub:org/tiny-GGUF:*q4_k_m.gguf"
    assert_told(caught, ErrorCode.MODEL_HASH_MISMATCH, "hash")


async def test_all_shards_of_a_model_come_and_only_the_missing_ones_again(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    wish = ModelWish(kind="hub", repo=REPO, filename="big.gguf")
    async with hub(tiny) as site:
        second = f"/{REPO}/resolve/main/big/big-00002-of-00002.gguf"
        kept = site.files.pop(second)
        with pytest.raises(MenagerieError):
            await pull(wish, catalogue, with_hub(settings, site))
        assert catalogue.installed() == []
        site.files[second] = kept
        model = await pull(wish, catalogue, with_hub(settings, site))
    assert model.path.name == "big-00001-of-00002.gguf"
    assert model.size == 2 * len(tiny)
    assert len(site.asked_for(f"/{REPO}/resolve/main/big/big-00001-of-00002.gguf")) == 1
    assert await catalogue.sha256(model.path) == sha256(tiny + tiny)
    assert catalogue.remove(catalogue.installed()[0].name).path == model.path
    assert list(catalogue.folder.rglob("*.gguf*")) == []


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("*Q2_K.gguf", "hub_no_match"), ("tiny*", "hub_ambiguous"), ("*evil*", "hub_no_match")],
)
async def test_a_glob_must_fit_exactly_one_model(
    tiny: bytes, catalogue: Catalogue, settings: Settings, pattern: str, reason: str
) -> None:
    async with hub(tiny) as site:
        wish = ModelWish(kind="hub", repo=REPO, filename=pattern)
        with pytest.raises(MenagerieError) as caught:
            await pull(wish, catalogue, with_hub(settings, site))
    assert_told(caught, ErrorCode.MODEL_DOWNLOAD_FAILED, reason)


async def test_the_token_goes_to_the_hub_and_never_on_to_where_it_redirects(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with hub(tiny) as site, Site(site.files) as storage:
        site.redirect_to = storage.address(host="localhost")
        chosen = with_hub(settings, site, token="secret-token")
        model = await pull(ModelWish(kind="hub", repo=REPO, filename="*Q4_K_M*"), catalogue, chosen)
    assert model.path.read_bytes() == tiny
    assert {request.headers.get("Authorization") for request in site.asked} == {"Bearer secret-token"}
    assert [request.headers.get("Authorization") for request in storage.asked] == [None]
    assert all(b"secret-token" not in path.read_bytes() for path in catalogue.folder.rglob("*.json"))


async def test_a_private_repository_names_the_setting_that_opens_it(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with hub(tiny) as site:
        site.status = [401]
        wish = ModelWish(kind="hub", repo=REPO, filename="*")
        with pytest.raises(MenagerieError) as caught:
            await pull(wish, catalogue, with_hub(settings, site))
    assert_told(caught, ErrorCode.MODEL_DOWNLOAD_FAILED, "network_denied")
    assert "MENAGERIE_HUB_TOKEN" in caught.value.message("fr")


async def test_a_truncated_model_is_told_and_pulled_anew(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with Site({FILE: tiny}) as site:
        wish = at(site, tiny)
        model = await pull(wish, catalogue, settings)
        model.path.write_bytes(tiny[:100_000])
        with pytest.raises(MenagerieError) as caught:
            catalogue.find(wish)
        assert_told(caught, ErrorCode.MODEL_BROKEN, "truncated")
        assert (await pull(wish, catalogue, settings)).path.read_bytes() == tiny


async def test_a_pulled_file_that_somebody_replaced_does_not_keep_its_hash(
    tiny: bytes, catalogue: Catalogue, settings: Settings
) -> None:
    async with Site({FILE: tiny}) as site:
        model = await pull(at(site, tiny), catalogue, settings)
    model.path.write_bytes(tiny + b"!")
    assert catalogue.installed()[0].sha256 == ""
    assert await catalogue.sha256(model.path) == sha256(tiny + b"!")


async def test_a_folder_that_cannot_be_made_is_told(tiny: bytes, tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    async with Site({FILE: tiny}) as site:
        with pytest.raises(MenagerieError) as caught:
            await pull(at(site, tiny), Catalogue(tmp_path / "models"), settings)
    assert_told(caught, ErrorCode.MODEL_DOWNLOAD_FAILED, "folder")


async def test_a_command_shows_how_far_it_is_without_a_terminal(
    tiny: bytes, catalogue: Catalogue, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Site({FILE: tiny}) as site:
        await asyncio.to_thread(pull_with_bar, at(site, tiny), catalogue, settings, "fr")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Téléchargement\N{NO-BREAK SPACE}: 0\N{NO-BREAK SPACE}o sur 1,3\N{NO-BREAK SPACE}Mo" in shown.err
    assert "Vérification…" in shown.err


def hub(tiny: bytes) -> Site:
    names = ["tiny-Q4_K_M.gguf", "tiny-Q8_0.gguf", "tiny-Q4_K_M-mmproj.gguf", ".evil.gguf", "evil.gguf/x.bin"]
    names += [f"big/big-0000{number}-of-00002.gguf" for number in (1, 2)]
    site = Site({f"/{REPO}/resolve/main/{name}": tiny for name in names})
    site.pages[f"/api/models/{REPO}/tree/main"] = (
        "application/json",
        hub_tree(*((name, tiny) for name in names)),
    )
    return site


def with_hub(settings: Settings, site: Site, token: str = "") -> Settings:
    return settings.model_copy(update={"hub": site.address(), "hub_token": SecretStr(token)})
