"""What somebody writes as the address of a page: read in one way, or not at all."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from menagerie.net.addresses import AddressRules
from menagerie.net.client import NetworkError
from menagerie.net.location import LONGEST, parse_location, parse_reference

RULES = AddressRules()


def is_refused(address: str, rules: AddressRules = RULES) -> bool:
    try:
        parse_location(address, rules)
    except NetworkError as failure:
        return failure.reason == "refused"
    return False


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("https://example.org", "https://example.org/"),
        ("HTTPS://Example.ORG/Path?q=1#part", "https://example.org/Path?q=1"),
        ("http://example.org:443/", "http://example.org:443/"),
        ("http://example.org?q", "http://example.org/?q"),
        ("https://example.org/a%2Fb?c=%26", "https://example.org/a%2Fb?c=%26"),
        ("https://www.québec.example/é", "https://www.xn--qubec-csa.example/%C3%A9"),
        ("http://1.1.1.1/", "http://1.1.1.1/"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/"),
        ("http://my_site.example.org/", "http://my_site.example.org/"),
    ],
)
def test_the_address_of_a_page_is_asked_for_as_it_is_meant(address: str, asked: str) -> None:
    assert str(parse_location(address, RULES)) == asked


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "//example.org/",
        "example.org",
        "http:example.org",
        "http:///example.org",
        "http://",
        "http://:80/",
        "http://example.org:22/",
        "http://example.org:8080/",
        "http://example.org:0/",
        "http://example.org:080/",
        "http://example.org:/",
        "http://example.org:99999/",
        "http://user@example.org/",
        "http://user:secret@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org\\.evil.example/",
        "http://exa mple.org/",
        "http://example.org/a b",
        "http://example.org/\r\nHost: inside",
        "http://exam\tple.org/",
        "http://example.org\u2028/",
        "http://example.org./",
        "http://example..org/",
        "http://.example.org/",
        "http://-example.org/",
        "http://ex%61mple.org/",
        "http://exa*mple.org/",
        "http://" + "a" * 64 + ".org/",
        "http://" + "a." * 130 + "org/",
        "http://example.org/" + "a" * LONGEST,
        "http://example.org/\ud800",
    ],
)
def test_what_is_not_plainly_the_address_of_a_page_is_refused(address: str) -> None:
    assert is_refused(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0",
        "0x7f.1",
        "0x7f000001",
        "0X7F.0.0.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.1.",
        "１２７.0.0.1",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[1.1.1.1]",
        "[::1",
        "::1",
        "1.1.1.1.1",
        "256.1.1.1",
        "localhost",
        "LocalHost",
        "a.localhost",
        "intranet",
        "printer.local",
        "metadata.google.internal",
        "host.docker.internal",
        "ｌocalhost",
    ],
)
def test_every_way_to_write_an_inner_host_is_refused_without_asking_for_it(host: str) -> None:
    assert is_refused(f"http://{host}/")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_read_only_as_four_plain_numbers(address: IPv4Address) -> None:
    number = int(address)
    octal = ".".join(f"0{part:o}" for part in address.packed)
    hexadecimal = ".".join(f"{part:#x}" for part in address.packed)
    for odd in (f"{number}", f"{number:#x}", octal, hexadecimal, f"{address}."):
        assert is_refused(f"http://{odd}/"), odd


@given(
    st.lists(
        st.sampled_from(
            ["a", "b1", "é", "-", "_", "xn--a", "ß", "．", "@", ":80", "[", "/", "?", "#", "\\", "%41"]
        )
    ),
    st.text(max_size=20),
)
def test_whatever_is_taken_has_the_host_that_another_program_reads(pieces: list[str], rest: str) -> None:
    address = f"http://{''.join(pieces)}.example.org/{rest}"
    if is_refused(address):
        return
    url = parse_location(address, RULES)
    again = urlsplit(str(url))
    assert (again.hostname, again.username, again.port or 80) == (url.raw_host, None, 80)
    assert str(parse_location(str(url), RULES)) == str(url)


def test_settings_open_names_networks_and_ports_and_close_names() -> None:
    rules = AddressRules(
        allowed_networks=(ip_network("10.1.0.0/16"),),
        allowed_names=("wiki", "*.internal"),
        denied_names=("example.org", "*.example.org"),
        ports=frozenset({80, 8080}),
    )
    for address in ("http://10.1.0.1/", "http://wiki/", "http://docs.internal:8080/"):
        assert not is_refused(address, rules)
    for address in (
        "http://10.2.0.1/",
        "http://example.org/",
        "http://a.example.org/",
        "https://example.com/",
    ):
        assert is_refused(address, rules)


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("/b", "https://example.org/b"),
        ("b?c#d", "https://example.org/a/b?c"),
        ("?c", "https://example.org/a/?c"),
        ("../b c", "https://example.org/b%20c"),
        ("//example.com/é", "https://example.com/%C3%A9"),
        ("HTTPS://Example.com", "https://example.com/"),
        ("http://example.com/a b", "http://example.com/a%20b"),
        ("/\\example.com/", "https://example.org/%5Cexample.com/"),
    ],
)
def test_a_redirect_leads_where_it_says(reference: str, target: str) -> None:
    assert str(parse_reference(reference, URL("https://example.org/a/"), RULES)) == target


@pytest.mark.parametrize(
    "reference",
    [
        "https:example.com",
        "https:/example.com",
        "https:///example.com",
        "///example.com",
        "//",
        "//user@example.com/",
        "//example.com:0443/",
        "https://example.com:４４３/",
        "https://example.com\\@127.0.0.1/",
        "//127.1/",
        ":80/",
        "file:/etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_a_redirect_that_two_programs_could_read_differently_is_refused(reference: str) -> None:
    with pytest.raises(NetworkError, match="refused"):
        parse_reference(reference, URL("https://example.org/a/"), RULES)
