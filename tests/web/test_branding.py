"""The branding of a deployment: what a right folder changes, and what each wrong one is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from menagerie.cli import main
from menagerie.locales import LANGUAGES
from menagerie.settings import Settings
from menagerie.web.brand_folder import BrandingError
from menagerie.web.branding import neutral, read_branding
from menagerie.web.colours import contrast
from menagerie.web.routes import docs, pages
from tests.web.brands import brand
from tests.web.serving import Parts, parts, serving


def branded(folder: Path, branding: str) -> Parts:
    """Parts with the pages and this branding."""
    given = parts(folder, branding=branding)
    given.routers = (pages.router, docs.router)
    return given


async def read(client: aiohttp.ClientSession, path: str) -> str:
    async with client.get(path) as response:
        return await response.text()


async def test_nothing_of_a_government_is_shown_where_nobody_asked_for_it(tmp_path: Path) -> None:
    async with serving(branded(tmp_path, "neutral")) as client:
        page = await read(client, "/en/chat")
    assert "<title>Personas – menagerie</title>" in page
    assert "gcds-signature" not in page


async def test_the_signature_of_canada_is_there_as_text_before_any_script(tmp_path: Path) -> None:
    async with serving(branded(tmp_path, "canada")) as client:
        page = await read(client, "/fr/chat")
    assert ">Gouvernement du Canada</gcds-signature>" in page
    assert 'type="wordmark"' in page


async def test_a_folder_gives_names_mark_colours_rules_and_contact(tmp_path: Path) -> None:
    async with serving(branded(tmp_path, str(brand(tmp_path / "brand")))) as client:
        english, french = await read(client, "/en/privacy"), await read(client, "/fr/privacy")
        version = read_branding(Settings(branding=str(tmp_path / "brand"))).version
        assert await read(client, f"/brand/{version}/brand.css") == (
            ":root{--brand:light-dark(#7a1f3d,#f0a6bd)}"
        )
    assert "<title>Privacy and AI notice – Lighthouse Assistant</title>" in english
    assert "Agence des bouées et des phares" in french
    assert "<strong>Protégé A</strong>" in french
    assert '<a href="mailto:help@example.org">help@example.org</a>' in english
    assert f'src="/brand/{version}/mark-dark.svg"' in english
    assert "<h3>Our rules</h3>" in english


async def test_html_in_a_deployments_text_stays_text(tmp_path: Path) -> None:
    folder = brand(tmp_path / "brand")
    for language in LANGUAGES:
        (folder / f"about.{language}.md").write_text("<script>x</script> ![](//a/b) [c](javascript:alert(1))")
    async with serving(branded(tmp_path, str(folder))) as client:
        english, about = await read(client, "/en/privacy"), await read(client, "/en/about")
    assert "&lt;b onclick='x'&gt;Never&lt;/b&gt;" in english
    assert "&lt;script&gt;x&lt;/script&gt;" in about
    assert 'href="javascript' not in about
    assert 'src="//a/b"' not in about


async def test_a_mark_is_served_so_that_it_can_run_and_load_nothing(tmp_path: Path) -> None:
    given = branded(tmp_path, str(brand(tmp_path / "brand")))
    version = read_branding(given.settings).version
    async with serving(given) as client, client.get(f"/brand/{version}/mark.svg") as mark:
        assert mark.content_type == "image/svg+xml"
        assert "sandbox" in mark.headers["Content-Security-Policy"]
        assert "default-src 'none'" in mark.headers["Content-Security-Policy"]
        assert mark.headers["X-Content-Type-Options"] == "nosniff"
        assert "immutable" in mark.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["brand.toml", "privacy.en.md", "..%2fbrand.toml", "x"])
async def test_only_marks_and_colours_of_the_folder_are_served(tmp_path: Path, name: str) -> None:
    given = branded(tmp_path, str(brand(tmp_path / "brand")))
    async with serving(given) as client, client.get(f"/brand/x/{name}") as response:
        assert response.status == 404


def put(name: str, content: str) -> Callable[[Path], object]:
    """Writes one file of the folder anew."""
    return lambda folder: (folder / name).write_text(content, encoding="utf-8")


def change(old: str, new: str) -> Callable[[Path], object]:
    """Changes `brand.toml` in one place."""

    def spoil(folder: Path) -> None:
        file = folder / "brand.toml"
        assert old in file.read_text(encoding="utf-8")
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    return spoil


def svg(inside: str, attributes: str = 'viewBox="0 0 1 1"') -> Callable[[Path], object]:
    """A mark with something in it."""
    return put("mark.svg", f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{inside}</svg>')


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no brand.toml": (lambda folder: (folder / "brand.toml").unlink(), "brand.toml: is missing"),
    "no TOML": (put("brand.toml", "service = ["), "brand.toml: is not TOML"),
    "no service": (put("brand.toml", ""), "service.en, service.fr is missing"),
    "one language": (change('fr = "Assistant du Fanal"', ""), "service.fr is missing: both languages"),
    "misspelt key": (change("[contact]", "[contcat]"), "no such key: contcat. Did you mean contact?"),
    "third language": (change('fr = "Protégé A"', 'fr = "x"\nde = "y"'), "no such key: classification.de"),
    "not a table": (change("[service]", 'service = "x"\n[others]'), "service must be a table with en and fr"),
    "several lines": (change('"Lighthouse Assistant"', '"a\\nb"'), "service.en must be one line"),
    "much too long": (change('"Protected A"', f'"{"a" * 201}"'), "classification.en is longer than 200"),
    "half an accent": (change('dark = "#f0a6bd"', ""), "accent must be a table with light and dark"),
    "no colour": (change('"#7a1f3d"', '"crimson"'), "accent.light must be a colour such as #24568f"),
    "pale accent": (
        change('"#7a1f3d"', '"#ffccdd"'),
        "accent.light: the contrast of #ffccdd on #ffffff is 1.4:1",
    ),
    "dark accent": (change('"#f0a6bd"', '"#7a1f3d"'), "accent.dark: the contrast of #7a1f3d on #1d262f"),
    "one text": (
        lambda folder: (folder / "privacy.fr.md").unlink(),
        "privacy.fr.md: is missing, but privacy.en.md",
    ),
    "no UTF-8": (
        lambda folder: (folder / "privacy.fr.md").write_bytes(b"\xe9"),
        "privacy.fr.md: is not written in",
    ),
    "large text": (put("privacy.fr.md", "a" * 262_145), "privacy.fr.md: is larger than 256 KiB"),
    "no XML": (put("mark.svg", "<svg"), "mark.svg: is not well-formed XML"),
    "another root": (put("mark.svg", "<html/>"), "mark.svg: is not an SVG picture"),
    "an entity": (
        put("mark.svg", '<!DOCTYPE s [<!ENTITY a "b">]><s>&a;</s>'),
        "mark.svg: has a document type",
    ),
    "a document type": (
        put("mark.svg", '<!DOCTYPE svg><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'),
        "mark.svg: has a document type",
    ),
    "no viewBox": (svg("", ""), "mark.svg: has no viewBox"),
    "a script": (svg("<script>x</script>"), "mark.svg: has “script” in it"),
    "a handler": (svg('<path onload="x"/>'), "mark.svg: has “onload” in it"),
    "foreign": (svg("<foreignObject/>"), "mark.svg: has “foreignobject” in it"),
    "a far picture": (
        svg('<image href="https://example.org/a.png"/>'),
        "loads something from elsewhere in “href”",
    ),
    "a far style": (svg("<style>@import 'a.css'</style>"), "loads something from elsewhere in “style”"),
    "a far fill": (svg('<path fill="url(//example.org/a)"/>'), "loads something from elsewhere in “fill”"),
    "a contact that runs": (
        change('"help@example.org"', '"javascript:alert(1)"'),
        "contact.en must be an e-mail",
    ),
    "a contact in clear": (
        change('"help@example.org"', '"http://example.org"'),
        "contact.en must be an e-mail",
    ),
    "misspelt file": (
        put("privacy.eng.md", "x"),
        "privacy.eng.md: is no file of a branding. Did you mean privacy.en",
    ),
    "unknown file": (put("logo.bmp", "x"), "logo.bmp: is no file of a branding; take it out"),
    "an escaped import": (svg(r"<style>@\69mport 'a.css'</style>"), "from elsewhere in “style”"),
    "an escaped address": (svg(r"<style>g{fill:\75rl(//a/b)}</style>"), "from elsewhere in “style”"),
    "an escape in a style": (svg(r'<g style="fill:\75rl(//a/b)"/>'), "from elsewhere in “style”"),
    "an escape in a fill": (svg(r'<g fill="\75rl(//a/b)"/>'), "from elsewhere in “fill”"),
    "a set of pictures": (
        svg("<style>g{mask:-webkit-image-set('//a/b' 1x)}</style>"),
        "from elsewhere in “style”",
    ),
    "a handler set later": (svg('<set attributeName="onclick" to="x"/>'), "mark.svg: has “onclick” in it"),
    "a link set later": (
        svg('<animate attributeName=" xlink:HREF" values="#a;//a/b"/>'),
        "mark.svg: has “href” in it",
    ),
    "only dark": (lambda folder: (folder / "mark.svg").unlink(), "mark-dark.svg: needs mark.svg beside it"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_folder_is_named(tmp_path: Path, case: str) -> None:
    folder = brand(tmp_path / "brand")
    spoil, told = WRONG[case]
    spoil(folder)

    with pytest.raises(BrandingError) as refused:
        read_branding(Settings(branding=str(folder)))

    assert told in "\n".join(refused.value.lines("en"))
    assert len(refused.value.lines("fr")) == len(refused.value.lines("en"))


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    folder = brand(tmp_path / "brand")
    change('"#7a1f3d"', '"#ffccdd"')(folder)
    svg("<script/>")(folder)
    (folder / "privacy.fr.md").unlink()

    with pytest.raises(BrandingError) as refused:
        read_branding(Settings(branding=str(folder)))

    assert len(refused.value.problems) == 3


def test_of_a_mark_all_that_is_wrong_is_told_at_once_and_each_thing_once(tmp_path: Path) -> None:
    folder = brand(tmp_path / "brand")
    svg('<script/><script/><path onload="x"/><image href="https://example.org/a.png"/>', "")(folder)

    with pytest.raises(BrandingError) as refused:
        read_branding(Settings(branding=str(folder)))

    told = [(problem.reason, problem.values["what"]) for problem in refused.value.problems]
    assert told == [
        ("svg_no_view_box", ""),
        ("svg_forbidden", "script"),
        ("svg_forbidden", "onload"),
        ("svg_loads", "href"),
    ]


@pytest.mark.parametrize(
    "contact", ["help@example.org", "mailto:help@example.org", "https://example.org/help", "Help desk: 5555"]
)
def test_a_contact_is_an_address_to_write_to_one_of_the_web_or_words(tmp_path: Path, contact: str) -> None:
    folder = brand(tmp_path / "brand")
    change('"help@example.org"', f'"{contact}"')(folder)
    shown = read_branding(Settings(branding=str(folder))).in_language("en")
    assert shown.contact == contact
    assert bool(shown.contact_link) == (not contact.startswith("Help"))


@pytest.mark.parametrize("branding", ["Canada", "/nowhere/at/all"])
def test_a_wrong_word_or_folder_stops_the_start_in_the_persons_language(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, branding: str
) -> None:
    for name in os.environ:
        if name.startswith("MENAGERIE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MENAGERIE_DATA", str(tmp_path))
    monkeypatch.setenv("MENAGERIE_BRANDING", branding)

    assert main(["--lang", "fr", "serve"]) == 2

    said = capsys.readouterr().err
    assert "MENAGERIE_BRANDING" in said
    assert "ce n’est ni neutral ni canada, et un tel dossier n’existe pas." in said


def test_an_illustration_in_a_mark_may_point_into_itself(tmp_path: Path) -> None:
    folder = brand(tmp_path / "brand")
    inside = '<defs><linearGradient id="g"/></defs><path fill="url(#g)"/><use href="#g"/>'
    svg(inside)(folder)
    assert read_branding(Settings(branding=str(folder))).files["mark.svg"].content.endswith(b"</svg>")


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_ours_is_shown_where_there_is_no_service_to_ask() -> None:
    assert neutral().in_language("fr").service == "ménagerie"
