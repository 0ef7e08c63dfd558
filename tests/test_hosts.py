"""Hosts and URLs: what is read strictly, what is declared, and which addresses are of the public internet."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibachi_model.hosts import MOST_URL, listed, public, reachable, read_entry, read_url

NAMES = st.from_regex(r"\A[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?(?:\.[a-z]{2,5}){0,2}\Z")
PORTS = st.none() | st.integers(1, 65535)


@pytest.mark.parametrize(
    "text",
    ["http://example.org", "https://EXAMPLE.org:8443/a?b=c&d=%20", "http://127.0.0.1:1/", "http://[::1]:8080/x",
     "http://example.org?x=1", "https://a_b.example.org/'(*)\"<>{|}^`~"],
)  # fmt: skip
def test_urls(text: str) -> None:
    found, other = read_url(text), urlsplit(text)
    assert found is not None and found.scheme == other.scheme and found.host == other.hostname
    assert found.port == (other.port or {"http": 80, "https": 443}[other.scheme])
    assert found.target == (other.path or "/") + (f"?{other.query}" if other.query else "")


@pytest.mark.parametrize(
    "text",
    ["", "example.org", "//example.org", "ftp://example.org", "HTTP://example.org", "http:/example.org", "http://",
     "http:///x", "http://user@example.org", "http://user:word@example.org", "http://example.org#part",
     "http://example.org/#part", "http://example.org\\@x.org", "http://example.org/a b",
     "http://example.org/\r\nX: y",
     "http://example.org/\t", "http://example.org/é", "http://exämple.org", "http://example.org:0", "http://example.org:",
     "http://example.org:65536", "http://example.org:1e3", "http://example.org:080", "http://[::1", "http://[::1]x",
     "http://[::g]", "http://[fe80::1%eth0]/", "http://.example.org", "http://example..org", "http://-example.org",
     "http://" + "a." * 130 + "org", "http://example.org/" + "a" * MOST_URL, " http://example.org", "http://example.org\n"],
)  # fmt: skip
def test_what_is_no_url(text: str) -> None:
    assert read_url(text) is None


def test_entries() -> None:
    entry = read_entry("https://[2001:DB8::0:1]:8443")
    assert entry is not None and (entry.scheme, entry.host, entry.port) == ("https", "2001:db8::1", 8443)
    for text in (
        "example.org/",
        "*.example.org",
        "*",
        "http://",
        "example.org:",
        "a b",
        "1:2:3",
        "[example.org]",
        "é.org",
    ):
        assert read_entry(text) is None, text


@given(NAMES, PORTS, NAMES, PORTS, st.sampled_from(["http", "https"]), st.sampled_from(["", "http://", "https://"]))
def test_listed_is_same_host_same_port_same_scheme(
    name: str, port: int | None, other: str, at: int | None, scheme: str, said: str
) -> None:
    place = read_url(f"{scheme}://{name}{'' if port is None else f':{port}'}/")
    assert place is not None
    own = {"http": 80, "https": 443}[scheme]
    for host in (name, other):
        entry = f"{said}{host}{'' if at is None else f':{at}'}"
        wanted = host == name and (at or own) == (port or own) and said in ("", f"{scheme}://")
        assert listed(place, ["other.example", entry]) is wanted
    assert not listed(place, [])


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%lo",
     "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
     "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1"],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    assert not public(address)
    place = read_url("http://example.org:8080/")
    assert place is not None
    assert not reachable(place, address, ["example.org:8080", address.partition("%")[0]])
    plain = str(ipaddress.ip_address(address))
    if "%" not in address:
        entry = f"[{plain}]" if ":" in plain else plain
        assert reachable(place, address, [f"{entry}:8080"]) and not reachable(place, address, [f"{entry}:8081"])
        assert not reachable(place, address, [f"https://{entry}:8080"])


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_what_is_public(address: str) -> None:
    place = read_url("https://example.org/")
    assert public(address) and place is not None and reachable(place, address, [])


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if public(str(address)):
        assert address.is_global or isinstance(address, ipaddress.IPv6Address)
        assert not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)


@given(st.text(max_size=40))
def test_no_text_breaks_the_readers(text: str) -> None:
    for found in (read_url(f"http://{text}"), read_entry(text)):
        assert found is None or (found.host.isascii() and "@" not in found.host and "/" not in found.host)
