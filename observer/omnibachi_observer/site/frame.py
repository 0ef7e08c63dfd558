"""What all pages have alike: head and policy, the way back, the footer; and how one page leads to another."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from omnibachi_model.addresses import split

from .looks import SCRIPT
from .markup import Child, Html, fragment, tag

_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
# A browser that shows a folder may not take its files for its own; `file:` lets it, and is no way out of a server.
POLICY = (
    "default-src 'none'; img-src 'self' file:; style-src 'self' file:; "
    f"script-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
)


class Place(NamedTuple):
    """Where a page lies: the way from it to the site's root, and the addresses that have a page of their own."""

    root: str
    known: frozenset[str]

    def link(self, address: str, text: str | None = None, part: tuple[str, str] | None = None) -> Html:
        """Lead to the page of an address, or to a (kind, name) on it; an address without a page is only named.

        The page of an operation is that of its side effect.
        """
        page, _, operation = address.partition(".")
        shown = tag("code", text or address)
        if page not in self.known:
            return shown
        where = part or (("operation", operation) if operation else None)
        return tag("a", shown, href=f"{self.root}{file_of(page)}{fragment(*where) if where else ''}")

    def domain(self, name: str) -> Html:
        """Lead to the page of a domain."""
        return tag("a", name, href=f"{self.root}{name}/index.html")


def file_of(address: str) -> str:
    """Return the file of an address's page, relative to the site's root."""
    domain, name = split(address)
    return f"{domain}/{name}.html"


def page(title: str, place: Place, way: Sequence[Child], content: Sequence[Child], seal: str, *, script: bool) -> bytes:
    """Write one page; `way` leads back to it from the root, the page itself last."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("link", rel="stylesheet", href=f"{place.root}style.css"),
    )
    last = len(way) - 1
    steps = [tag("li", step, aria_current="page" if at == last else None) for at, step in enumerate(way)]
    body = tag(
        "body",
        tag("a", "Skip to the content", class_="skip", href="#content"),
        tag("header", tag("nav", tag("ol", steps), aria_label="The way here")),
        tag("main", content, id="content"),
        tag("footer", tag("p", "Made from the snapshot ", tag("code", seal), ".")),
        Html(f"<script>{SCRIPT}</script>") if script else None,
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en').text}\n".encode()


def section(name: str, title: str, *content: Child, **attributes: str) -> Html:
    """Make a section that `contents` can lead to."""
    return tag("section", tag("h2", title), content, id=name, **attributes)


def contents(sections: Sequence[tuple[str, str]]) -> Html:
    """Lead to the sections of a page: (id, title) each."""
    links = (tag("li", tag("a", title, href=f"#{name}")) for name, title in sections)
    return tag("nav", tag("ul", links), class_="contents", aria_label="On this page")


def facts(pairs: Sequence[tuple[str, Child]]) -> Html:
    """Write names with what is to be said of each; what is None is left out."""
    told = [(tag("dt", name), tag("dd", value)) for name, value in pairs if value is not None]
    return tag("dl", (part for pair in told for part in pair), class_="facts")
