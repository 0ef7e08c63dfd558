"""The canonical layout of declarations, which `omnibachi fmt` writes: docs/formatting.md says what it is.

What is declared never changes: the result is read again and compared with the source, values and comments, before
anybody sees it. Key order is that of the language's own schemas, so a new key has its place as soon as it is known.
"""

from __future__ import annotations

from typing import Any

from omnibachi_model.diagnostics import Defect

from .language import SCHEMAS
from .layout import Child, Comment, Document, Group, Leaf, comments, read_layout
from .loader import load
from .phase import Phase, Source
from .scalars_written import folded, one_line, standing
from .tree import Mapping, Scalar, Tree

WIDTH = 120
STEP = 2

# By the title of their schema: the order of reading, where the schema groups keys by another thought.
_ORDERS = {
    "a node": (
        *("each", "as", "max", "repeat", "all", "wait", "use", "store", "event", "decide", "compute", "with"),
        *("deadline", "retry", "good", "next"),
    ),
    "a step": ("workflow", "payload", "payload_of", "load", "expect"),
}


def format_source(source: Source) -> Phase[bytes]:
    """Return a source in canonical layout; unchanged, with what was found, where the loader finds anything (OB1xx).

    Raises Defect if the result would not declare the same, which would be a mistake of this module.
    """
    loaded = load(source)
    if loaded.diagnostics:
        return Phase(source.data, loaded.diagnostics)
    documents = read_layout(source.data.decode("utf-8").replace("\r\n", "\n"))
    for document in documents:
        _order_document(document)
    text = _written(documents)
    data = text.encode("utf-8")
    again = load(Source(source.path, source.domain, data))
    before, after = [_values(tree) for tree in loaded.value], [_values(tree) for tree in again.value]
    if again.diagnostics or before != after or comments(documents) != comments(read_layout(text)):
        raise Defect(f"the layout of `{source.path}` would change what it says")
    return Phase(data, ())


def _values(tree: Tree) -> Any:
    """Return a tree's values with their types; mappings as sets of members, since the order of keys may change."""
    if isinstance(tree, Scalar):
        return (type(tree.value).__name__, tree.value)
    if isinstance(tree, Mapping):
        return {entry.key: _values(entry.value) for entry in tree}
    return [_values(item) for item in tree]


# Order.


def _order_document(document: Document) -> None:
    group = document.child.value
    if isinstance(group, Group) and group.mapping and group.children:
        first = group.children[0].key
        schema = SCHEMAS.get(first.value) if first else None
        if schema is not None:
            _order(group, schema)


def _order(value: Leaf | Group, schema: dict[str, Any]) -> None:
    """Put the keys that a schema lists into its order, here and below; names that an author chose stay as they are."""
    if isinstance(value, Leaf):
        return
    # Schemas of values are the author's own: their order is left alone.
    if schema.get("title") == "a schema" or "$ref" in schema:
        return
    kind = "object" if value.mapping else "array"
    schema = next((choice for choice in schema.get("anyOf", ()) if choice.get("type") == kind), schema)
    if not value.mapping:
        for child in value.children:
            _order(child.value, schema.get("items") or {})
        return
    properties = schema.get("properties") or {}
    others = schema.get("additionalProperties") or {}
    for child in value.children:
        name = child.key.value if child.key else ""
        _order(child.value, properties.get(name, others))
    places = {name: number for number, name in enumerate(_ORDERS.get(str(schema.get("title")), properties))}
    value.children.sort(key=lambda child: places.get(child.key.value if child.key else "", len(places)))


# Writing.


def _written(documents: list[Document]) -> str:
    writer = _Writer()
    for number, document in enumerate(documents):
        if number:
            writer.lines.append("---")
        child = document.child
        group = child.value
        writer.above(child.before)
        if isinstance(group, Group) and group.children:
            if child.trailing is not None:
                writer.lines.append(child.trailing)
            writer.block(group, 0)
        else:
            writer.value("", child, 0)
        writer.above(document.tail)
        if document.blank and number + 1 < len(documents):
            writer.blank()
    return "\n".join(writer.lines) + "\n"


class _Writer:
    """The lines that are written so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def blank(self) -> None:
        """Add a blank line, but not at the beginning."""
        if self.lines:
            self.lines.append("")

    def above(self, found: list[Comment], pad: str = "") -> None:
        """Write comments that stand on lines of their own."""
        for comment in found:
            if comment.blank:
                self.blank()
            self.lines.append(pad + comment.text)

    def block(self, group: Group, indent: int, lead: str | None = None) -> None:
        """Write a collection in block style; `lead` is before its first child, on the line of its item's dash."""
        pad = " " * indent
        for number, child in enumerate(group.children):
            prefix = pad
            if number == 0 and lead is not None:
                prefix = lead  # what stands above it is written above the item
            else:
                self.above(_above(child, indent), pad)
                if child.blank:
                    self.blank()
            if child.key is not None:
                prefix += one_line(child.key.value, child.key.style) + ":"
                self.value(prefix, child, indent)
            else:
                self.item(prefix + "-", child, indent)
        self.above(group.tail, pad)

    def item(self, head: str, child: Child, indent: int) -> None:
        """Write an item of a sequence behind its dash."""
        if isinstance(child.value, Group) and not _fits(head, child.value):
            self.block(child.value, indent + STEP, head + " ")
        else:
            self.value(head, child, indent)

    def value(self, head: str, child: Child, indent: int) -> None:
        """Write a value behind its key or dash, on the same line where it fits."""
        value, behind = child.value, "" if child.trailing is None else f"  {child.trailing}"
        gap = " " if head else ""
        if isinstance(value, Leaf) and value.style in ("|", ">"):
            found = standing(value, " " * (indent + STEP))
            if found is not None:
                self.lines.append(f"{head}{gap}{found[0]}{behind}")
                self.lines.extend(found[1])
                return
        if isinstance(value, Group) and not _fits(head, value):
            self.lines.append(head + behind)
            self.block(value, indent + STEP)
            return
        text = _flow(value)
        lines = [head + gap + text]
        if isinstance(value, Leaf) and "\n" in value.source and len(lines[0]) > WIDTH:
            lines = folded(head + gap, text, " " * (indent + STEP), WIDTH)
        lines[-1] += behind
        self.lines.extend(lines)


def _above(child: Child, indent: int) -> list[Comment]:
    """Return the comments above a child: its own, and those of what will begin on the same line as its dash."""
    found = list(child.before)
    head = " " * indent + "-"
    while child.key is None and isinstance(child.value, Group) and not _fits(head, child.value):
        if child.trailing is not None:
            found.append(Comment(child.trailing))
        child = child.value.children[0]
        found += child.before
        head += " -"
    return found


def _fits(head: str, group: Group) -> bool:
    """Tell whether a collection is written in flow style: it was, fits on the line, and no comment is inside."""
    if not group.children and not group.tail:
        return True
    return group.flow and not _commented(group) and len(head) + 1 + len(_flow(group)) <= WIDTH


def _commented(group: Group) -> bool:
    return bool(group.tail) or any(
        child.before or child.trailing is not None or (isinstance(child.value, Group) and _commented(child.value))
        for child in group.children
    )


def _flow(value: Leaf | Group) -> str:
    """Write a value on one line."""
    if isinstance(value, Leaf):
        return one_line(value.value, value.style)
    inner = ", ".join(
        (f"{one_line(child.key.value, child.key.style)}: " if child.key else "") + _flow(child.value)
        for child in value.children
    )
    return f"{{{inner}}}" if value.mapping else f"[{inner}]"
