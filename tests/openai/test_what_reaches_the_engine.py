"""What of a request reaches an engine: known fields, the persona's imperative, and nothing else."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import openai
from menagerie.models.projector import projector_of
from tests.grounding import files
from tests.openai.recording_engine import RecordingEngine, recording_engine
from tests.service import Service, running_service
from tests.tiny_model import WIDTH, write_tiny_model
from tests.tiny_projector import write_tiny_projector


def png(color: tuple[int, int, int], size: tuple[int, int] = (32, 32)) -> str:
    """A picture of one colour, in base64."""
    written = io.BytesIO()
    Image.new("RGB", size, color).save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


PIXEL = png((255, 0, 0), (1, 1))


@pytest.fixture(scope="module")
def engine() -> Iterator[RecordingEngine]:
    with recording_engine() as opened:
        yield opened


@pytest.fixture(scope="module")
def recorded(
    engine: RecordingEngine, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    settings = {
        "LLM_MODEL_FILE": "",
        "LLM_CONTEXT_WINDOW": "4096",
        "MENAGERIE_ENGINES__DEFAULT__URL": engine.url,
        "MENAGERIE_ENGINES__DEFAULT__MODEL": "far-away",
        "MENAGERIE_ENGINES__DEFAULT__SEES": "on",
    }
    with running_service(tmp_path_factory.mktemp("recorded") / "data", tiny_model, **settings) as running:
        yield running


def opened(service: Service, key: str = "none") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=0, timeout=60)


def keys(service: Service, *words: str) -> str:
    """What `menagerie keys` prints, beside the running service."""
    command = [sys.executable, "-m", "menagerie", "keys", *words]
    environment = {"MENAGERIE_DATA": str(service.data), "HOME": str(service.data), "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def system(asked: dict[str, Any]) -> str:
    messages = asked["messages"]
    return str(messages[0]["content"]) if messages[0]["role"] == "system" else ""


def test_only_known_fields_reach_the_engine(recorded: Service, engine: RecordingEngine) -> None:
    with opened(recorded) as client:
        client.chat.completions.create(
            model="beaver",
            messages=[{"role": "user", "content": "Hello?"}],
            user="ann",
            metadata={"ours": "alone"},
            service_tier="auto",
            temperature=0.5,
            top_p=0.9,
            presence_penalty=0.25,
            frequency_penalty=-0.25,
            seed=-1,
            stop="!",
            max_tokens=5,
        )
    asked = dict(engine.asked[-1])
    assert 0 <= asked.pop("seed") < 2**32
    assert asked.pop("messages")[-1] == {"role": "user", "content": "Hello?"}
    assert asked == {
        "path": "/v1/chat/completions",
        "model": "far-away",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "top_p": 0.9,
        "presence_penalty": 0.25,
        "frequency_penalty": -0.25,
        "stop": ["!"],
        "max_tokens": 5,
    }


def test_a_caller_adds_to_the_imperative_and_a_key_that_may_stands_in_for_it(
    recorded: Service, engine: RecordingEngine
) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Hello?"},
    ]
    with opened(recorded) as client:
        client.chat.completions.create(model="beaver", messages=messages)
    told = system(engine.asked[-1])
    assert told.endswith("You are a pirate.")
    assert "beaver" in told.lower()
    with opened(recorded, keys(recorded, "create", "free", "--bypass")) as client:
        client.chat.completions.create(model="beaver", messages=messages)
        assert system(engine.asked[-1]) == "You are a pirate."
        client.chat.completions.create(model="beaver", messages=messages[1:])
        assert "beaver" in system(engine.asked[-1]).lower()


def test_a_bare_model_is_there_only_for_a_key_that_may(recorded: Service, engine: RecordingEngine) -> None:
    messages: list[Any] = [{"role": "user", "content": "Hello?"}]
    for key in ("none", keys(recorded, "create", "bound")):
        with opened(recorded, key) as client:
            assert "default" not in [model.id for model in client.models.list()]
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(model="default", messages=messages)
    with opened(recorded, keys(recorded, "create", "bare", "--bypass")) as client:
        assert "default" in [model.id for model in client.models.list()]
        client.chat.completions.create(model="default", messages=messages)
        assert engine.asked[-1]["messages"] == messages
        client.completions.create(model="default", prompt="Once upon a time", max_tokens=4)
        assert engine.asked[-1]["path"] == "/v1/completions"
        assert engine.asked[-1]["prompt"] == "Once upon a time"


def test_a_key_for_one_persona_sees_no_other(recorded: Service) -> None:
    with opened(recorded, keys(recorded, "create", "one", "--persona", "owl")) as client:
        assert [model.id for model in client.models.list()] == ["owl"]
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="beaver", messages=[{"role": "user", "content": "Hello?"}])


def test_a_revoked_key_is_worth_nothing_from_the_next_request_on(recorded: Service) -> None:
    key = keys(recorded, "create", "brief")
    with opened(recorded, key) as client:
        client.models.list()
        keys(recorded, "revoke", "brief")
        with pytest.raises(openai.AuthenticationError) as refused:
            client.models.list()
    assert refused.value.code == "invalid_api_key"


def test_a_key_that_has_used_up_its_requests_is_told_when_to_come_back(recorded: Service) -> None:
    with opened(recorded, keys(recorded, "create", "slow", "--requests-per-minute", "1")) as client:
        first = client.chat.completions.with_raw_response.create(
            model="beaver", messages=[{"role": "user", "content": "Hello?"}]
        )
        assert first.headers["x-ratelimit-remaining-requests"] == "0"
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="beaver", messages=[{"role": "user", "content": "Hello?"}])
    assert refused.value.code == "rate_limit_exceeded"
    assert int(refused.value.response.headers["Retry-After"]) > 0


def test_pictures_reach_a_model_that_sees(recorded: Service, engine: RecordingEngine) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}]
    with opened(recorded) as client:
        client.chat.completions.create(model="beaver", messages=messages)
    assert engine.asked[-1]["messages"][-1]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9/cat.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "data:text/html;base64," + PIXEL,
        "data:image/svg+xml;base64," + PIXEL,
        "data:image/jpeg;base64," + PIXEL,
        "data:image/png;base64," + PIXEL[:24],
        "data:image/png;base64," + png((0, 0, 0), (9000, 9000)),
    ],
)
def test_what_is_no_picture_is_refused_by_its_place_and_fetched_from_nowhere(
    recorded: Service, engine: RecordingEngine, address: str
) -> None:
    before = len(engine.asked)
    messages: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": address}}]}]
    with opened(recorded) as client, pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="beaver", messages=messages)
    assert refused.value.param == "messages[0].content[0].image_url.url"
    assert len(engine.asked) == before


def test_a_model_without_eyes_says_so(service: Service) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    messages: Any = [{"role": "user", "content": [picture]}]
    with opened(service) as client, pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="beaver", messages=messages)
    assert refused.value.code == "image.unsupported"


def test_a_model_with_its_projector_beside_it_tells_pictures_apart(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny.gguf")
    write_tiny_projector(model.with_name("mmproj-tiny.gguf"), WIDTH)

    def answer(client: openai.OpenAI, picture: str) -> str:
        part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}
        text = {"type": "text", "text": "What is it?"}
        messages: Any = [{"role": "user", "content": [text, part]}]
        said = client.chat.completions.create(model="beaver", messages=messages, temperature=0, max_tokens=12)
        return said.choices[0].message.content or ""

    with (
        running_service(tmp_path / "data", model, LLM_CONTEXT_WINDOW="2048") as running,
        opened(running) as client,
    ):
        red, blue = png((255, 0, 0)), png((0, 0, 255))
        assert answer(client, red) == answer(client, red) != answer(client, blue)


def test_a_projector_for_other_models_is_none_of_this_ones(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny.gguf")
    assert projector_of(model, WIDTH) is None
    write_tiny_projector(tmp_path / "mmproj-other.gguf", WIDTH * 2)
    (tmp_path / "mmproj-broken.gguf").write_bytes(b"GGUF")
    assert projector_of(model, WIDTH) is None
    fitting = write_tiny_projector(tmp_path / "tiny-mmproj-f32.gguf", WIDTH)
    assert projector_of(model, WIDTH) == fitting


def test_what_is_in_a_file_reaches_the_engine_and_the_file_itself_does_not(
    recorded: Service, engine: RecordingEngine
) -> None:
    content = files.word(title="Guide")
    with opened(recorded) as client:
        sent = client.files.create(file=("guide.docx", content), purpose="user_data")
        client.chat.completions.create(
            model="beaver",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What does camping cost?"},
                        {"type": "file", "file": {"file_id": sent.id}},
                    ],
                }
            ],
        )
        asked = str(engine.asked[-1]["messages"])
        assert "Ask the warden. Put in." in asked
        assert "| C | 12 |" in asked
        assert sent.id not in asked
        client.responses.create(
            model="beaver",
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What does camping cost?"},
                        {
                            "type": "input_file",
                            "filename": "guide.docx",
                            "file_data": base64.b64encode(content).decode(),
                        },
                    ],
                }
            ],
        )
        assert "| C | 12 |" in str(engine.asked[-1]["messages"])
        scan = client.files.create(file=("scan.pdf", files.scanned(2)), purpose="user_data")
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(
                model="beaver",
                messages=[
                    {"role": "user", "content": [{"type": "file", "file": {"file_id": scan.id}}]},
                ],
            )
        assert caught.value.status_code == 422
        assert "pictures without text" in str(caught.value)
