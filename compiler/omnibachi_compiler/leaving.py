"""What leaves the house: effects of class EXTERNAL, the hosts that they may reach, and the outcome OUTCOME_UNKNOWN.

Such an effect cannot be rolled back, so its operation says whether the other side honours a key (`repeat`), it works on
no store, and it is tried again only where that cannot do twice what it does. An operation that needs `hosts` is held to
those of the domain in which its node is declared; it takes where it goes as its input `url` or `server`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.hosts import PORTS, listed, read_entry, read_server, read_url
from omnibachi_model.sealed import BACKEND_ERROR, EXTERNAL, HOSTS, OUTCOME_UNKNOWN, PROGRAMS, REPEAT_KEY, TIMEOUT

from .declarations import Domain, Operation, Use
from .fits import object_of
from .templates import First, Literal, Record, Template

if TYPE_CHECKING:
    from .library import Capability

Json = dict[str, Any]
URL, SERVER = "url", "server"


def check_leaving(operation: Operation) -> Iterator[Diagnostic]:
    """Hold an operation to what its effect class asks: `repeat` of EXTERNAL and of no other (OB420), and no store and
    no event of EXTERNAL (OB423)."""
    name, leaves = operation.name, operation.effect.text == EXTERNAL
    if leaves and operation.repeat is None:
        message = f"`{name.text}` leaves the house, and nothing says whether it may be asked again"
        advice = "add `repeat: key` where the other side honours the key of the call, else `repeat: never`"
        yield Diagnostic("OB420", message, operation.effect.span, help=advice)
    elif not leaves and operation.repeat is not None:
        message = f"`repeat` belongs to effects of class {EXTERNAL}, and `{name.text}` is {operation.effect.text}"
        yield Diagnostic("OB420", message, operation.repeat.span, help="leave `repeat` out")
    for need in operation.needs if leaves else ():
        if need.text not in (HOSTS, PROGRAMS):
            message = f"`{name.text}` leaves the house and cannot work on a {need.text} as well"
            advice = "keep what it answers in a node of its own, behind it"
            yield Diagnostic("OB423", message, need.span, help=advice)


def check_hosts(domain: Domain) -> Iterator[Diagnostic]:
    """Report what is no host among those of a domain (OB424)."""
    for host in domain.hosts:
        if read_entry(host.text) is None:
            advice = "write a name or an address, with a port where it is not the scheme's own: `api.example.org:8443`"
            yield Diagnostic("OB424", f"`{host.text}` is no host", host.span, help=advice)


def reserved_of(capability: Capability) -> dict[str, Json]:
    """Return the outcomes that a capability has, and its function may answer, without declaring them."""
    return {OUTCOME_UNKNOWN: object_of({})} if capability.effect == EXTERNAL else {}


def hosts_of(capability: Capability, domain: Domain | None) -> tuple[str, ...] | None:
    """Return the hosts to which a call is held, sorted; None where its operation needs none."""
    if HOSTS not in capability.needs:
        return None
    return tuple(sorted({host.text for host in domain.hosts})) if domain is not None else ()


def sealed_leaving(
    capability: Capability, hosts: tuple[str, ...] | None, programs: Mapping[str, Json] | None = None
) -> Json:
    """Return the members of a sealed call that only calls which leave the house have."""
    found: Json = {} if hosts is None else {HOSTS: list(hosts)}
    if programs is not None:
        found[PROGRAMS] = dict(programs)
    return found if capability.repeat is None else {**found, "repeat": capability.repeat}


def check_retry(node: Use, capability: Capability, known: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """Hold the retry of what leaves the house to outcomes after which asking again does nothing twice (OB421)."""
    if capability.effect != EXTERNAL or node.retry is None:
        return
    safe = {BACKEND_ERROR} | ({OUTCOME_UNKNOWN, TIMEOUT} if capability.repeat == REPEAT_KEY else set())
    for name in node.retry.on:
        if name.text not in safe and name.text in known:
            unsure = name.text in (OUTCOME_UNKNOWN, TIMEOUT)
            why = f"`{capability.address}` is `repeat: never`" if unsure else "it was done, or may have been"
            message = f"after `{name.text}` this cannot be tried again: {why}"
            advice = "try again after " + " or ".join(f"`{outcome}`" for outcome in sorted(safe & known.keys()))
            yield Diagnostic("OB421", message, name.span, help=advice if safe & known.keys() else "leave `retry` out")


def check_urls(bindings: Record, hosts: tuple[str, ...] | None, domain: str) -> Iterator[Diagnostic]:
    """Refuse a URL that stands in the text and leads where the domain's hosts do not (OB422)."""
    if hosts is None:
        return
    for key, template in bindings.entries:
        read = {URL: read_url, SERVER: read_server}.get(key)
        for text, span in _texts(template) if read is not None else ():
            place = read(text) if read is not None else None
            if place is not None and listed(place, hosts):
                continue
            if place is None and key == SERVER:
                message, advice = f"`{text[:200]}` is no server", "write it as in `mail.example.org:587`"
            elif place is None:
                message = f"`{text[:200]}` is no URL that can be asked"
                advice = "write it as in `https://api.example.org/things`, in ASCII and without user and fragment"
            else:
                port = "" if PORTS.get(str(place.scheme)) == place.port else f":{place.port}"
                host = f"[{place.host}]" if ":" in place.host else place.host
                message = f"`{text[:200]}` leads to a host that `{domain}` does not declare"
                advice = f"add `{host}{port}` to the `hosts` of the domain"
            yield Diagnostic("OB422", message, span, help=advice)


def _texts(template: Template) -> Iterable[tuple[str, Span]]:
    if isinstance(template, Literal) and isinstance(template.value, str):
        yield template.value, template.span
    elif isinstance(template, First):
        for item in template.alternatives:
            yield from _texts(item)
