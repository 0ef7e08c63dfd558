"""Hosts: what a domain lets its effects reach, and whether a URL leads there. The network is closed by default.

An entry is `[http://|https://]HOST[:PORT]`. Without a scheme both are meant, without a port the scheme's own. HOST is a
name, an IPv4 address, or an IPv6 address in brackets. Addresses that are not of the public internet (loopback, private,
link-local and the like) are reached only where the address itself stands in an entry with its port, whatever name leads
to it. URLs are read strictly: what more lenient readers could take for another host is none.
"""

from __future__ import annotations

import ipaddress
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PORTS = {"http": 80, "https": 443}
MOST_URL = 8192

_NAME = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
_HOST = rf"(?P<host>\[[0-9A-Fa-f:.]+\]|{_NAME})(?::(?P<port>[1-9][0-9]{{0,4}}))?"
_ENTRY = re.compile(rf"(?:(?P<scheme>https?)://)?{_HOST}\Z", re.ASCII)
# No user, no fragment, no blank, no backslash, nothing but ASCII.
_URL = re.compile(rf"(?P<scheme>https?)://{_HOST}(?P<target>[/?][!\"$-\[\]-~]*)?\Z", re.ASCII)


class Place:
    """Where a URL or an entry leads: scheme and port (None: any, the scheme's own), the host in lower case without
    brackets, and the target that is asked for (of a URL)."""

    __slots__ = ("host", "port", "scheme", "target")

    def __init__(self, scheme: str | None, host: str, port: int | None, target: str) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.target = target

    def __repr__(self) -> str:
        return f"Place({self.scheme}://{self.host}:{self.port}{self.target})"


def read_entry(text: str) -> Place | None:
    """Read an entry of `hosts`; None for what is none."""
    return _place(_ENTRY.match(text))


def read_url(text: str) -> Place | None:
    """Read an http or https URL; None for what is none. Its port is always there."""
    found = _place(_URL.match(text)) if len(text) <= MOST_URL else None
    if found is not None and found.port is None:
        assert found.scheme is not None
        found.port = PORTS[found.scheme]
    return found


def read_server(text: str) -> Place | None:
    """Read `HOST:PORT`, a server that speaks no HTTP; None for what is none. Entries must name its port."""
    found = read_entry(text)
    if found is None or found.port is None or found.scheme is not None:
        return None
    return Place("server", found.host, found.port, "")


def _place(found: re.Match[str] | None) -> Place | None:
    if found is None or (found["port"] and int(found["port"]) > 65535):
        return None
    host = found["host"].lower()
    if host.startswith("["):
        try:
            host = str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            return None
    elif len(host) > 253:
        return None
    target = found.groupdict().get("target") or "/"
    port = int(found["port"]) if found["port"] else None
    return Place(found["scheme"], host, port, target if target[0] == "/" else "/" + target)


def listed(place: Place, hosts: Iterable[str]) -> bool:
    """Tell whether one of the declared hosts is that of a URL, with its scheme and port."""
    return any(_same(place, place.host, entry) for entry in map(read_entry, hosts) if entry is not None)


def reachable(place: Place, address: str, hosts: Iterable[str]) -> bool:
    """Tell whether an IP address, which a URL's host stands for, may be reached: a public one, or one that is declared
    itself with its port."""
    if public(address):
        return True
    plain = str(ipaddress.ip_address(address))
    entries = [entry for entry in map(read_entry, hosts) if entry is not None and entry.port is not None]
    return any(_same(place, plain, entry) for entry in entries)


def _same(place: Place, host: str, entry: Place) -> bool:
    if entry.scheme not in (None, place.scheme) or entry.host != host:
        return False
    return place.port == (PORTS.get(str(place.scheme)) if entry.port is None else entry.port)


def public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet; of one that carries an IPv4 address, both must be."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in ipaddress.IPv6Network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
        if found.teredo is not None or found.scope_id is not None or found.is_site_local:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved
