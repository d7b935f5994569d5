"""Which host names are answered to, and whose pages may act."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from menagerie.settings import Settings
from menagerie.web.hosts import HostRule, OriginRule, is_loopback


def a_request(
    *headers: tuple[str, str], path: str = "/chat", method: str = "GET", kind: str = "http"
) -> HTTPConnection:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return HTTPConnection({"type": kind, "method": method, "path": path, "headers": raw})


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LOCALHOST:1", True),
        ("localhost.:5000", True),
        ("127.0.0.1:5000", True),
        ("[::1]:5000", True),
        ("[::1]", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example:5000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost@evil.example", False),
        ("localhost:5000:5000", False),
        ("localhost:", False),
        ("localhost/", False),
        ("localhost\t", False),
        ("::1", False),
        ("", False),
    ],
)
def test_a_service_on_loopback_answers_to_loopback_names_alone(host: str, allowed: bool) -> None:
    for bound in ("127.0.0.1", "localhost", "::1"):
        assert HostRule(Settings(host=bound)).allows(a_request(("Host", host))) is allowed


def test_a_service_for_a_network_answers_to_every_well_formed_name() -> None:
    rule = HostRule(Settings(host="0.0.0.0"))
    assert rule.allows(a_request(("Host", "chat.example:80")))
    assert rule.allows(a_request())
    assert not rule.allows(a_request(("Host", "a b")))


def test_named_hosts_are_the_only_ones() -> None:
    rule = HostRule(Settings(host="0.0.0.0", allowed_hosts="Chat.Example, *.gc.example"))  # type: ignore[arg-type]
    assert rule.allows(a_request(("Host", "chat.example:443")))
    assert rule.allows(a_request(("Host", "a.b.gc.example")))
    for host in ("gc.example", "evilgc.example", "localhost", "chat.example.evil"):
        assert not rule.allows(a_request(("Host", host)))
    assert not rule.allows(a_request())


def test_two_hosts_are_no_host() -> None:
    for settings in (Settings(), Settings(host="0.0.0.0")):
        assert not HostRule(settings).allows(a_request(("Host", "localhost"), ("Host", "localhost")))


@pytest.mark.parametrize(("path", "allowed"), [("/healthz", True), ("/readyz", True), ("/healthz/", False)])
def test_probes_may_ask_by_any_name(path: str, allowed: bool) -> None:
    assert HostRule(Settings()).allows(a_request(("Host", "10.0.0.7:5000"), path=path)) is allowed


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("a.ca", False),
    ],
)
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


ACTING = [
    ("POST", "http", "/toil/otter"),
    ("DELETE", "http", "/x"),
    ("GET", "websocket", "/gpt-socket/otter"),
]


@pytest.mark.parametrize(("method", "kind", "path"), ACTING)
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([], True),
        ([("Origin", "http://localhost:5000")], True),
        ([("Origin", "http://LOCALHOST:5000")], True),
        ([("Sec-Fetch-Site", "same-origin")], True),
        ([("Sec-Fetch-Site", "none")], True),
        ([("Origin", "null"), ("Sec-Fetch-Site", "same-origin")], True),
        ([("Origin", "https://friend.example")], True),
        ([("Origin", "http://evil.example")], False),
        ([("Origin", "http://localhost:5001")], False),
        ([("Origin", "http://localhost")], False),
        ([("Origin", "http://localhost:5000.evil.example")], False),
        ([("Origin", "http://localhost:5000@evil.example")], False),
        ([("Origin", "http://evil.example/localhost:5000")], False),
        ([("Origin", "http://localhost:5000/path")], False),
        ([("Origin", "file://localhost:5000")], False),
        ([("Origin", "localhost:5000")], False),
        ([("Origin", "null")], False),
        ([("Origin", "null"), ("Sec-Fetch-Site", "cross-site")], False),
        ([("Origin", "")], False),
        ([("Origin", "http://[::1")], False),
        ([("Origin", "http://localhost:99999999")], False),
        ([("Origin", "http://localhost:5000"), ("Origin", "http://evil.example")], False),
        ([("Sec-Fetch-Site", "cross-site")], False),
        ([("Sec-Fetch-Site", "same-site")], False),
    ],
)
def test_only_own_and_allowed_pages_may_act(
    method: str, kind: str, path: str, headers: list[tuple[str, str]], allowed: bool
) -> None:
    rule = OriginRule(Settings(allowed_origins="https://friend.example/"))  # type: ignore[arg-type]
    connection = a_request(("Host", "localhost:5000"), *headers, method=method, kind=kind, path=path)
    assert rule.allows(connection) is allowed


@pytest.mark.parametrize("origin", ["https://chat.example", "https://chat.example:443"])
@pytest.mark.parametrize("host", ["chat.example", "chat.example:443"])
def test_the_usual_port_may_be_said_or_not(origin: str, host: str) -> None:
    connection = a_request(("Host", host), ("Origin", origin), method="POST")
    assert OriginRule(Settings()).allows(connection)


def test_reading_pages_is_open_to_links_from_anywhere() -> None:
    elsewhere = ("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site")
    assert OriginRule(Settings()).allows(a_request(("Host", "localhost"), *elsewhere))


@pytest.mark.parametrize(
    ("mode", "destination", "allowed"),
    [
        ("navigate", "document", True),
        ("navigate", "iframe", False),
        ("no-cors", "image", False),
        ("cors", "empty", False),
    ],
)
def test_no_image_or_frame_of_another_site_makes_the_model_work(
    mode: str, destination: str, allowed: bool
) -> None:
    connection = a_request(
        ("Host", "localhost"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", mode),
        ("Sec-Fetch-Dest", destination),
        path="/gpt/otter",
    )
    assert OriginRule(Settings()).allows(connection) is allowed
