"""Providers: who may answer an allowed message, and what the operator of a gateway opened.

What a gateway may reach is never said by a payload. It is an *access*: a provider, the one place where it stands and
the key for it, bound to one another in one text, which a sealed workflow names as a secret (`$secret: DBL_PROVIDER`)
and the gateway gives. So a key can go nowhere but to its place, and neither stands in a record.
"""

from __future__ import annotations

import re

from .digests import encode
from .hosts import Place, public, read_url
from .values import Outside, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECRET = "DBL_PROVIDER"  # the name under which sealed workflows ask for the access
NO_ACCESS = "none"  # the text of it where nothing may be reached
STUB = "stub"
# Name of a provider -> (the model where none is asked for, where it stands if nothing else is said).
PROVIDERS: dict[str, tuple[str | None, str | None]] = {
    STUB: ("stub-echo", None),
    "openai": (None, "https://api.openai.com/v1"),
    "ollama": (None, "http://127.0.0.1:11434"),
}
DURATION_MS = 60_000  # of a decision whose budget names none
_KEY = re.compile(r"[!-~]{1,4096}\Z")


class Access:
    """A provider, the URL that it stands under (without a slash at its end) and the key for it, or None."""

    __slots__ = ("key", "provider", "url")

    def __init__(self, provider: str, url: str, key: str | None) -> None:
        self.provider = provider
        self.url = url
        self.key = key

    def __repr__(self) -> str:
        return f"Access({self.provider}, {self.url})"


def access_text(provider: str, url: str | None = None, key: str | None = None) -> str:
    """Write an access; raises ValueError, whose text shows no key, for one that cannot be."""
    if provider == STUB:
        if url:
            raise ValueError("it stands nowhere, so it takes no url")
        return NO_ACCESS
    url = url or PROVIDERS[provider][1]
    assert url is not None
    found = {"provider": provider, "url": url.rstrip("/"), **({"key": key} if key else {})}
    _judged(found)
    return encode(found).decode()


def read_access(text: str) -> Access | None:
    """Read an access; None for what opens nothing. Raises ValueError, whose text shows no key, for what is none."""
    if text == NO_ACCESS:
        return None
    try:
        found = parse(text.encode("utf-8", "replace"), limit=16_384)
    except Outside:
        raise ValueError("the access is no JSON object") from None
    if not isinstance(found, dict) or not set(found) <= {"provider", "url", "key"}:
        raise ValueError("the access is no object of `provider`, `url` and `key`")
    return _judged(found)


def _judged(found: dict[str, Any]) -> Access:
    provider, url, key = found.get("provider"), found.get("url"), found.get("key")
    if provider not in PROVIDERS or provider == STUB:
        raise ValueError("the provider is none that is reached")
    place = read_url(url) if isinstance(url, str) else None
    if place is None or "?" in place.target:
        raise ValueError("the url is none of the form `http[s]://HOST[:PORT][/PATH]`")
    if key is None:
        return Access(provider, str(url), None)
    if not isinstance(key, str) or not _KEY.match(key):
        raise ValueError("the key is empty, too long, or holds what no header can carry")
    if place.scheme == "http" and not _near(place):
        raise ValueError("a key is sent over https, or to an address that is not of the public internet")
    return Access(provider, str(url), key)


def opened(place: Place) -> tuple[str, ...]:
    """Return the hosts, as a domain declares them, that a place opens: itself, and where it is this machine, that."""
    port = place.port
    host = f"[{place.host}]" if ":" in place.host else place.host
    near = (f"127.0.0.1:{port}", f"[::1]:{port}") if place.host == "localhost" else ()
    return (f"{place.scheme}://{host}:{port}", *(f"{place.scheme}://{entry}" for entry in near))


def _near(place: Place) -> bool:
    """Tell whether a place is this machine, or is written as an address that is not of the public internet."""
    if place.host == "localhost":
        return True
    try:
        return not public(place.host)
    except ValueError:
        return False  # a name, which may stand for anything
