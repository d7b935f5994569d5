"""Persona files: merged key by key, and refused with file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from menagerie.locales import LANGUAGES
from menagerie.personas.load import load_personas
from menagerie.personas.persona import FILE_KEYS
from menagerie.settings import Settings
from tests.personas.files import Site

SHA256 = "0f" * 32


def test_a_later_file_patches_one_key_and_leaves_the_others(site: Site) -> None:
    site.write("10-all.json", {"fox": {"title": "Fox", "context_window": 1024}, "owl": {"title": "Owl"}})
    site.write("90-ours.json", {"fox": {"context_window": 2048}})
    personas = site.load()
    assert (personas["fox"].text("title", "en"), personas["fox"].context_window) == ("Fox", 2048)
    assert personas["owl"].text("title", "en") == "Owl"


def test_files_are_read_in_the_order_of_their_names_not_of_their_making(site: Site) -> None:
    site.write("20.json", {"fox": {"title": "second"}})
    site.write("10.json", {"fox": {"title": "first"}})
    assert site.load()["fox"].text("title", "en") == "second"


def test_a_sites_folder_patches_ours_whatever_its_files_are_called(tmp_path: Path) -> None:
    ours, theirs = Site(tmp_path / "ours"), Site(tmp_path / "theirs")
    ours.write("90.json", {"fox": {"title": "ours", "strict": True}})
    theirs.write("10.json", {"fox": {"title": "theirs"}})
    fox = load_personas([ours.folder, theirs.folder, tmp_path / "absent"], Settings())["fox"]
    assert (fox.text("title", "en"), fox.strict) == ("theirs", True)


def test_only_json_files_are_read_and_no_hidden_ones(site: Site) -> None:
    site.write("10.json", {"fox": {}})
    site.write("10.json.bak", "not ours")
    site.write(".20.json", "an editor's")
    (site.folder / "texts.json").mkdir()
    assert list(site.load()) == ["fox"]


def test_one_language_of_a_text_can_be_patched_alone(site: Site) -> None:
    site.write("10.json", {"fox": {"title": "Fox", "description": {"en": "Old", "fr": "Ancien"}}})
    site.write("20.json", {"fox": {"title": {"fr": "Renard"}, "description": {"en": "New"}}})
    fox = site.load()["fox"]
    assert (fox.text("title", "en"), fox.text("title", "fr")) == ("Fox", "Renard")
    assert (fox.text("description", "en"), fox.text("description", "fr")) == ("New", "Ancien")


def test_one_feature_can_be_patched_alone_however_the_others_were_written(site: Site) -> None:
    site.write(
        "10.json", {"fox": {"ui_features": "rag_custom; rag_goc"}, "owl": {"ui_features": ["rag_goc"]}}
    )
    site.write(
        "20.json", {"fox": {"ui_features": {"rag_goc": False}}, "owl": {"ui_features": ["rag_custom"]}}
    )
    fox, owl = site.load().values()
    assert (fox.ui_features.rag_custom, fox.ui_features.rag_goc) == (True, False)
    assert (owl.ui_features.rag_custom, owl.ui_features.rag_goc) == (True, False)


def test_null_takes_a_key_back_and_removes_a_persona(site: Site) -> None:
    site.write("10.json", {"fox": {"hf_repo": "a/b", "context_window": 512}, "owl": {}})
    site.write("20.json", {"fox": {"hf_repo": None, "context_window": None}, "owl": None})
    personas = site.load()
    assert list(personas) == ["fox"]
    assert (personas["fox"].model_wish, personas["fox"].context_window) == (None, 4096)


@pytest.mark.parametrize(
    ("content", "line", "key", "reason", "told"),
    [
        ('{"fox":\n{"tilte": "x"}}', 2, "fox.tilte", "unknown_key", "title"),
        ('{"fox": {\n"Context-Window": 512}}', 2, "fox.Context-Window", "unknown_key", "context_window"),
        ('{"fox": {"title": {\n"de": "x"}}}', 2, "fox.title.de", "unknown_key", "de"),
        (
            '{"fox": {"ui_features": {\n"rag_wiki": true}}}',
            2,
            "fox.ui_features.rag_wiki",
            "unknown_key",
            "rag_wikipedia",
        ),
        (
            '{"fox": {"ui_features": ["rag_goc",\n"rag_god"]}}',
            2,
            "fox.ui_features[1]",
            "unknown_key",
            "rag_goc",
        ),
        ('{"fox": {\n"ui_features": "rag_god"}}', 2, "fox.ui_features.rag_god", "unknown_key", "rag_goc"),
        ('{"fox": {"title": {"en": "x",\n"fr": 3}}}', 2, "fox.title.fr", "wrong_value", "100000"),
        ('{"fox": {\n"title": 3}}', 2, "fox.title", "wrong_value", "“en”"),
        (
            '{"fox": {\n"context_window": "4096"}}',
            2,
            "fox.context_window",
            "wrong_value",
            "from 256 to 4194304",
        ),
        ('{"fox": {\n"context_window": 4096.5}}', 2, "fox.context_window", "wrong_value", "4096.5"),
        ('{"fox": {\n"context_window": true}}', 2, "fox.context_window", "wrong_value", "true"),
        ('{"fox": {\n"context_window": 100}}', 2, "fox.context_window", "wrong_value", "from 256"),
        ('{"fox": {\n"gpu_layers": -2}}', 2, "fox.gpu_layers", "wrong_value", "from -1"),
        ('{"fox": {\n"temperature": 3}}', 2, "fox.temperature", "wrong_value", "from 0 to 2"),
        ('{"fox": {\n"strict": "yes"}}', 2, "fox.strict", "wrong_value", "true or false"),
        ('{"fox": {\n"hidden": 1}}', 2, "fox.hidden", "wrong_value", "true or false"),
        ('{"fox": {"languages": ["en",\n"de"]}}', 2, "fox.languages[1]", "wrong_value", "“en”, “fr”"),
        ('{"fox": {\n"languages": []}}', 2, "fox.languages", "wrong_value", "“en”, “fr”"),
        ('{"fox": {\n"languages": ["fr", "fr"]}}', 2, "fox.languages", "wrong_value", "“en”, “fr”"),
        ('{"fox": {\n"flash_attention": "yes"}}', 2, "fox.flash_attention", "wrong_value", "“auto”"),
        ('{"fox": {\n"ui_features": 3}}', 2, "fox.ui_features", "wrong_value", "semicolons"),
        (
            '{"fox": {"ui_features": {\n"rag_goc": 1}}}',
            2,
            "fox.ui_features.rag_goc",
            "wrong_value",
            "true or false",
        ),
        ('{"fox": {\n"local_file": "../secret.gguf"}}', 2, "fox.local_file", "wrong_value", "models folder"),
        (
            '{"fox": {\n"local_file": "a/..\\\\..\\\\x.gguf"}}',
            2,
            "fox.local_file",
            "wrong_value",
            "models folder",
        ),
        ('{"fox": {\n"local_file": "a\\u0000.gguf"}}', 2, "fox.local_file", "wrong_value", "models folder"),
        ('{"fox": {\n"hf_filename": "/etc/*"}}', 2, "fox.hf_filename", "wrong_value", "repository"),
        ('{"fox": {\n"hf_repo": "no-owner"}}', 2, "fox.hf_repo", "wrong_value", "organization/name"),
        ('{"fox": {\n"hf_repo": "../../x"}}', 2, "fox.hf_repo", "wrong_value", "organization/name"),
        ('{"fox": {\n"model_package": "llm"}}', 2, "fox.model_package", "wrong_value", "name==version"),
        ('{"fox": {\n"model_sha256": "ABC"}}', 2, "fox.model_sha256", "wrong_value", "64"),
        ('{"fox": {\n"engine_url": "ftp://x"}}', 2, "fox.engine_url", "wrong_value", "https://"),
        ('{"fox": {\n"licence": "free to use"}}', 2, "fox.licence", "wrong_value", "SPDX"),
        (
            '{"fox": {\n"agent_rag_source": "../../etc/passwd"}}',
            2,
            "fox.agent_rag_source",
            "wrong_value",
            "absolute",
        ),
        ('{"fox": {"title": "x"},\n"fox": {}}', 2, "fox", "duplicate", "line 1"),
        ('{"fox": {"title": "x",\n"title": "y"}}', 2, "fox.title", "duplicate", "line 1"),
        ('{"é": {},\n"e\u0301": {}}', 2, '"e\u0301"', "duplicate", "line 1"),
        ('{"fox": {"title": "x",\n}}', 1, "fox.title", "trailing", "column 22"),
        ('{"fox":\n"x"}', 1, "fox", "persona", '"x"'),
        ('\n["fox"]', 1, "", "root", "object"),
        ('{\n"../fox": {}}', 2, '"../fox"', "name", "64"),
        ('{\n".fox": {}}', 2, '".fox"', "name", "64"),
        ('{\n"a b": {}}', 2, '"a b"', "name", "64"),
        ('{\n"": {}}', 2, '""', "name", "64"),
        ('{\n"a%2Fb": {}}', 2, '"a%2Fb"', "name", "64"),
        ('{\n"' + "x" * 65 + '": {}}', 2, "x" * 65, "name", "64"),
        ('{"fox": {\n"rag_helper": "ow"}, "owl": {}}', 2, "fox.rag_helper", "unknown_helper", "owl"),
        ('{"fox": {\n"engine": "vlm"}}', 2, "fox.engine", "unknown_engine", "vlm"),
        (
            '{"fox": {\n"model_url": "https://example.org/x.gguf"}}',
            2,
            "fox.model_url",
            "hash_missing",
            "model_sha256",
        ),
        ('{"fox": {\n"agent_rag_source": "absent.md"}}', 2, "fox.agent_rag_source", "no_file", "absent.md"),
        (b'{"fox": {\n"title": "caf\xe9"}}', 2, "fox.title", "encoding", "UTF-8"),
    ],
)
def test_what_is_wrong_is_refused_with_file_line_and_key(
    site: Site, content: str | bytes, line: int, key: str, reason: str, told: str
) -> None:
    file = site.write("10.json", content)
    refusal = site.refused()
    assert (refusal.file, refusal.line, refusal.key, refusal.reason) == (file, line, key, reason)
    english, french = (refusal.message(language) for language in LANGUAGES)
    assert told in english
    assert str(file) in english
    assert str(file) in french
    assert english != french
    assert "{" not in (english + french).replace(str(content), "")


def test_the_file_that_brought_the_wrong_value_is_blamed_not_the_first_one(site: Site) -> None:
    site.write("10.json", {"fox": {"rag_helper": "owl"}, "owl": {}})
    later = site.write("20.json", '{"fox": {\n\n"rag_helper": "elk"}}')
    refusal = site.refused()
    assert (refusal.file, refusal.line) == (later, 3)


def test_a_helper_that_a_later_file_removes_is_missed(site: Site) -> None:
    first = site.write("10.json", '{"owl": {},\n"fox": {"rag_helper": "owl"}}')
    site.write("20.json", {"owl": None})
    refusal = site.refused()
    assert (refusal.file, refusal.line, refusal.reason) == (first, 2, "unknown_helper")


def test_a_wrong_value_is_refused_even_where_a_later_file_would_mend_it(site: Site) -> None:
    first = site.write("10.json", {"fox": {"context_window": 1}})
    site.write("20.json", {"fox": {"context_window": 4096}})
    assert site.refused().file == first


def test_of_two_wrong_values_the_upper_one_is_told(site: Site) -> None:
    site.write("10.json", '{"fox": {\n"temperature": 9,\n"context_window": 1}}')
    assert site.refused().key == "fox.temperature"


def test_a_file_of_the_wrong_size_or_without_access_is_refused(site: Site) -> None:
    site.write("10.json", b" " * (8 * 2**20 + 1))
    assert site.refused().reason == "too_large"
    (site.folder / "10.json").unlink()
    (site.folder / "20.json").symlink_to(site.folder / "nowhere.json")
    refusal = site.refused()
    assert (refusal.reason, "ENOENT" in refusal.message("fr")) == ("unreadable", True)


def test_a_byte_order_mark_does_no_harm(site: Site) -> None:
    site.write("10.json", b'\xef\xbb\xbf{"fox": {}}')
    assert list(site.load()) == ["fox"]


def test_names_with_accents_are_one_persona_however_they_are_typed(site: Site) -> None:
    site.write("10.json", '{"h\u00e9ron": {"title": "x"}}')
    site.write("20.json", '{"he\u0301ron": {"strict": true}}')
    assert [(name, persona.strict) for name, persona in site.load().items()] == [("h\u00e9ron", True)]


@pytest.mark.parametrize("name", ["fox", "Fox-2.1_b", "jo+chat@example.org", "héron", "ᐊᒪᕈᖅ", "x" * 64])
def test_names_that_stand_well_in_an_address_are_allowed(site: Site, name: str) -> None:
    site.write("10.json", {name: {}})
    assert list(site.load()) == [name]


def test_files_written_for_the_reference_are_read(site: Site) -> None:
    site.write("stuffing.txt", "facts")
    features = ["rag_custom", "rag_custom_default", "ui_emotions"]
    written: dict[str, Any] = {
        "imperative": "You are.",
        "description": "What.",
        "intro_dialogue": "",
        "hf_repo": "org/name",
        "hf_filename": "*Q4_K_M.gguf",
        "local_file": "/models/x.gguf",
        "context_window": 8000,
        "gpu_layers": -1,
        "cpu_threads": 4,
        "flash_attention": "true",
        "rag_length": 8000,
        "rag_helper": "fox",
        "agent_rag_source": "stuffing.txt",
        "voice": "../fr_FR-upmc-medium.onnx",
        "voice_param": 1,
        "ui_style": "winter",
        "ui_features": features,
        "persona": "A drawing of a fox",
        "persona_seed": 42,
        "persona_cfg": 5,
        "persona_steps": 20,
    }
    site.write("10.json", {"fox": written})
    fox = site.load()["fox"]
    assert (fox.flash_attention, fox.voice_param, fox.persona_cfg) == ("on", 1, 5.0)
    assert fox.stuffing("fr") == site.folder / "stuffing.txt"
    assert {name for name, on in fox.ui_features.model_dump().items() if on} == set(features)
    assert written.keys() <= set(FILE_KEYS)


def test_a_stuffed_text_may_differ_by_language_and_come_from_the_web(site: Site) -> None:
    site.write("f.md", "faits")
    source = {"en": "https://example.org/facts", "fr": "f.md"}
    site.write("10.json", {"fox": {"agent_rag_source": source}, "owl": {}})
    fox, owl = site.load().values()
    assert (fox.stuffing("en"), fox.stuffing("fr")) == ("https://example.org/facts", site.folder / "f.md")
    assert owl.stuffing("en") is None


def test_a_patched_path_counts_from_the_folder_of_the_file_that_says_it(tmp_path: Path) -> None:
    ours, theirs = Site(tmp_path / "ours"), Site(tmp_path / "theirs")
    ours.write("facts.md", "ours")
    theirs.write("facts.md", "theirs")
    ours.write("10.json", {"fox": {"agent_rag_source": "facts.md"}})
    theirs.write("10.json", {"fox": {"agent_rag_source": {"fr": "facts.md"}}})
    fox = load_personas([ours.folder, theirs.folder], Settings())["fox"]
    assert (fox.stuffing("en"), fox.stuffing("fr")) == (ours.folder / "facts.md", theirs.folder / "facts.md")


def test_settings_apply_where_a_persona_has_no_key(site: Site) -> None:
    site.write("10.json", {"fox": {}, "owl": {"context_window": 512, "ui_features": {}, "rag_helper": "owl"}})
    fox, owl = site.load(
        llm_context_window=1024,
        llm_cpu_threads=3,
        llm_flash_attention="off",
        llm_rag_helper="owl",
        llm_voice="nasal",
        ui_features=("rag_goc",),
    ).values()
    assert (fox.context_window, fox.cpu_threads, fox.flash_attention) == (1024, 3, "off")
    assert (fox.rag_helper, fox.voice, fox.ui_features.rag_goc) == ("owl", "nasal", True)
    assert (owl.context_window, owl.cpu_threads, owl.ui_features.rag_goc) == (512, 3, False)


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"llm_rag_helper": "elk"}, "LLM_RAG_HELPER"),
        ({"ui_features": ("rag_god",)}, "UI_FEATURES"),
        ({"llm_huggingface_repo": "no-owner"}, "LLM_HUGGINGFACE_REPO"),
        ({"llm_huggingface_repo": "a/b", "llm_huggingface_file": "../x"}, "LLM_HUGGINGFACE_FILE"),
        ({"llm_gpu_layers": 99_999}, "LLM_GPU_LAYERS"),
    ],
)
def test_a_setting_that_no_persona_can_take_is_blamed_by_its_name(
    site: Site, settings: dict[str, Any], variable: str
) -> None:
    site.write("10.json", {"fox": {}})
    refusal = site.refused(**settings)
    assert (refusal.file, refusal.line) == (variable, None)
    assert refusal.message("fr").startswith(f"{variable}\u00a0: ")


def test_an_engine_of_the_settings_may_be_named_in_any_case(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MENAGERIE_ENGINES__VLLM__URL", "http://127.0.0.1:9")
    site.write("10.json", {"fox": {"engine": "VLLM"}})
    assert site.load()["fox"].engine == "VLLM"


def test_the_model_file_of_the_settings_overrides_every_path(site: Site, tmp_path: Path) -> None:
    remote = {"engine_url": "http://127.0.0.1:9"}
    site.write(
        "10.json", {"fox": {"hf_repo": "a/b", "model_sha256": SHA256, "licence": "MIT"}, "owl": remote}
    )
    fox, owl = site.load(llm_model_file=tmp_path / "x.gguf").values()
    assert fox.model_wish is not None
    assert (fox.model_wish.kind, fox.model_wish.file, fox.model_wish.sha256) == (
        "file",
        str(tmp_path / "x.gguf"),
        "",
    )
    assert fox.licence == ""
    assert owl.model_wish is None


def test_the_repository_of_the_settings_serves_personas_without_a_model_of_their_own(site: Site) -> None:
    site.write("10.json", {"fox": {"hf_repo": "a/b"}, "owl": {}, "elk": {"local_file": "elk.gguf"}})
    wishes = [
        persona.model_wish.label
        for persona in site.load(llm_huggingface_repo="c/d", llm_huggingface_file="*Q8_0.gguf").values()
        if persona.model_wish
    ]
    assert wishes == ["hub:a/b:*Q8_0.gguf", "hub:c/d:*Q8_0.gguf", "file:elk.gguf"]
