"""Text to HTML: elements are made by functions that escape every text, so nothing in a snapshot can become markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple, TypeAlias
from urllib.parse import quote

EMPTY = frozenset(("meta", "link", "img", "input", "br"))


class Html(NamedTuple):
    """A piece of HTML that is safe as it stands; all other text is escaped when it becomes a child."""

    text: str


Child: TypeAlias = "Html | str | int | None"


def tag(element: str, /, *children: Child | Iterable[Child], **attributes: str | bool | None) -> Html:
    """Make an element; `class_` and `for_` are `class` and `for`, `_` is `-`; None and False leave an attribute out."""
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if element in EMPTY:
        return Html(f"<{element}{given}>")
    return Html(f"<{element}{given}>{''.join(_written(child) for child in children)}</{element}>")


def joined(*children: Child | Iterable[Child], between: str = "") -> Html:
    """Put pieces one after another, with a text `between`."""
    return Html(escape(between).join(_written(child) for child in children))


def _written(child: Child | Iterable[Child]) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child.text
    if isinstance(child, str | int):
        return escape(str(child))
    return "".join(_written(item) for item in child)


def anchor(kind: str, name: str) -> str:
    """Return the id of a place on a page; it has no spaces, whatever the name."""
    return f"{kind}-{quote(name, safe='')}"


def fragment(kind: str, name: str) -> str:
    """Return the end of an address that leads to `anchor(kind, name)`."""
    return "#" + quote(anchor(kind, name), safe="")


def code(text: str) -> Html:
    """Make a piece of code."""
    return tag("code", text)


def table(head: Sequence[str], rows: Sequence[Sequence[Child | Iterable[Child]]], label: str) -> Html:
    """Make a table; each cell knows its column's name, which stands beside it where rows are stacked."""
    body = [tag("tr", (_cell(name, cell) for name, cell in zip(head, row, strict=True))) for row in rows]
    made = tag(
        "table", tag("thead", tag("tr", (tag("th", name, scope="col") for name in head))), tag("tbody", body)
    )  # fmt: skip
    return tag("div", made, class_="wide", tabindex="0", role="region", aria_label=label)


def _cell(name: str, content: Child | Iterable[Child]) -> Html:
    text = _written(content)
    return tag("td", tag("div", Html(text)) if text else None, data_name=name)


def listed(items: Iterable[Child | Iterable[Child]], **attributes: str) -> Html:
    """Make a list."""
    return tag("ul", (tag("li", item) for item in items), **attributes)
