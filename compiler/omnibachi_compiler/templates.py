"""Templates: what stands in `with` and in results, taken apart into literals, references and their joins.

A string that begins with `$.` or `$[` is a reference (RFC 9535 singular query); `$$` escapes a dollar; a mapping whose
one key begins with `$` is an operator. This phase knows the scopes, not yet which of them stand at a place nor what
each node gives: that is the flow phase's part.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from omnibachi_model.diagnostics import Diagnostic, Span
from omnibachi_model.named_secrets import SECRET_NAME
from omnibachi_model.nearest import nearest

from .fixes import renamed
from .frozen import dataclass
from .paths import PathError, parse_path
from .phase import Phase
from .tree import Mapping, Scalar, Sequence, Tree, plain

if TYPE_CHECKING:
    from omnibachi_model.values import JSON

SCOPES = ("payload", "inputs", "nodes", "each", "run")
RUN_FIELDS = ("id", "started_at", "actor")
OPERATORS = ("$first", "$literal", "$merge", "$optional", "$secret")


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it stands."""

    value: JSON
    span: Span


@dataclass(frozen=True, slots=True)
class Reference:
    """A path into a scope: `node` is the node's name where the scope is `nodes`, else None."""

    scope: str
    node: str | None
    segments: tuple[str | int, ...]
    text: str
    span: Span

    @property
    def fact(self) -> tuple[str, str | None, tuple[str | int, ...]]:
        """What two readings of one place have in common."""
        return (self.scope, self.node, self.segments)


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping of templates; `keys` says where the names of those stand that are written in the text."""

    entries: tuple[tuple[str, Template], ...]
    span: Span
    keys: dict[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Items:
    """A list of templates."""

    items: tuple[Template, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class First:
    """The first of several that is present."""

    alternatives: tuple[Template, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Merge:
    """Records laid over one another: of a member that several have, the last one stands."""

    records: tuple[Template, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Perhaps:
    """A member of a record that is left out where what it reads is absent."""

    value: Template
    span: Span


@dataclass(frozen=True, slots=True)
class Secret:
    """A named secret: a text that is looked up under this name when the call is made."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read and was reported; it may be anything, so that nothing more is said of it."""

    span: Span


Template: TypeAlias = Literal | Reference | Record | Items | First | Merge | Perhaps | Secret | Unread


def inside(template: Template) -> tuple[Template, ...]:
    """Return the templates that a template is made of, in the order of the text."""
    kind = type(template)
    if kind is Record:
        return tuple([value for _, value in template.entries])  # type: ignore[union-attr]
    if kind is Items:
        return template.items  # type: ignore[union-attr]
    if kind is Merge:
        return template.records  # type: ignore[union-attr]
    if isinstance(template, Perhaps):
        return (template.value,)
    return template.alternatives if kind is First else ()  # type: ignore[union-attr]


def parts(template: Template) -> list[Template]:
    """Return a template and every template in it, in the order of the text."""
    found: list[Template] = []
    waiting = [template]
    while waiting:
        part = waiting.pop()
        found.append(part)
        if type(part) is not Literal and type(part) is not Reference:
            waiting.extend(reversed(inside(part)))
    return found


def references(template: Template) -> list[Reference]:
    """Return every reference in a template, in the order of the text."""
    return [part for part in parts(template) if type(part) is Reference]


def secrets_in(template: Template) -> list[Secret]:
    """Return every named secret in a template, in the order of the text."""
    return [part for part in parts(template) if type(part) is Secret]


def parse_bindings(tree: Mapping | None, span: Span, *, secrets: bool = False) -> Phase[Record]:
    """Take a whole `with` (or result) apart: a mapping of names to templates, never an operator itself.

    Named secrets stand only in the `with` of a call (`secrets`), where the rest is for its capability to say.
    """
    if tree is None:
        return Phase(Record((), span), ())
    found: list[Diagnostic] = []
    entries: list[tuple[str, Template]] = []
    for entry in tree:
        if entry.key.startswith("$") and not entry.key.startswith("$$"):
            message = f"`{entry.key}` cannot stand here: this mapping names what is bound"
            found.append(Diagnostic("OB214", message, entry.key_span, help=f"write `name: {{{entry.key}: …}}`"))
            continue
        entries.append((_unescaped(entry.key), _member(entry.value, found)))
    made = Record(tuple(entries), tree.span, _keys(tree))
    if not secrets:
        found.extend(_misplaced(made))
    return Phase(made, tuple(found))


def _misplaced(template: Template) -> list[Diagnostic]:
    advice = "bind it where it is needed, in the `with` of the side effect"
    message = "`$secret` cannot stand here: only what a side effect is given may be a secret"
    return [Diagnostic("OB223", message, secret.span, help=advice) for secret in secrets_in(template)]


def parse_template(tree: Tree) -> Phase[Template]:
    """Take a single template apart."""
    found: list[Diagnostic] = []
    made = _template(tree, found)
    return Phase(made, (*found, *_misplaced(made)))


def _template(tree: Tree, found: list[Diagnostic]) -> Template:
    """Take what is no member of a record apart: it can be absent, and then there is nothing, but not be left out."""
    made = _member(tree, found)
    if not isinstance(made, Perhaps):
        return made
    message = "`$optional` can only be a member of a record"
    found.append(Diagnostic("OB214", message, made.span, help="say what stands there else: `$first: [a, b]`"))
    return Unread(made.span)


def _member(tree: Tree, found: list[Diagnostic]) -> Template:
    if isinstance(tree, Scalar):
        return _scalar(tree, found)
    if isinstance(tree, Sequence):
        return Items(tuple(_template(item, found) for item in tree), tree.span)
    operators = [entry for entry in tree if entry.key.startswith("$") and not entry.key.startswith("$$")]
    if operators:
        return _operator(tree, operators[0].key, found)
    entries = tuple((_unescaped(entry.key), _member(entry.value, found)) for entry in tree)
    return Record(entries, tree.span, _keys(tree))


def _keys(tree: Mapping) -> dict[str, Span]:
    return {_unescaped(entry.key): entry.key_span for entry in tree.entries}


def _unescaped(text: str) -> str:
    return text[1:] if text.startswith("$$") else text


def _operator(tree: Mapping, key: str, found: list[Diagnostic]) -> Template:
    entry = tree.entry(key)
    assert entry is not None
    if len(tree.entries) > 1:
        found.append(Diagnostic("OB214", f"`{key}` must stand alone in its mapping", entry.key_span))
        return Unread(tree.span)
    if key == "$literal":
        return Literal(plain(entry.value), tree.span)
    if key in ("$first", "$merge"):
        what = "alternatives" if key == "$first" else "records"
        if not isinstance(entry.value, Sequence) or not entry.value.items:
            message = f"`{key}` takes a list of {what}"
            found.append(Diagnostic("OB214", message, entry.value.span, help=f"write `{key}: [a, b]`"))
            return Unread(tree.span)
        return _several(key, entry.value, tree.span, found)
    if key == "$optional":
        return _optional(_template(entry.value, found), tree.span, found)
    if key == "$secret":
        return _secret(entry.value, tree.span, found)
    near = nearest(key, OPERATORS)
    found.append(
        Diagnostic(
            "OB214",
            f"`{key}` is no operator",
            entry.key_span,
            help=f"did you mean `{near}`?" if near else "write `$$` for a key that begins with a dollar",
        )
    )
    return Unread(tree.span)


def _several(key: str, tree: Sequence, span: Span, found: list[Diagnostic]) -> Template:
    items = tuple(_template(item, found) for item in tree)
    made = First(items, span) if key == "$first" else Merge(items, span)
    for secret in secrets_in(made):
        message = f"`$secret` cannot stand in `{key}`: which secret a call gets is told by the graph alone"
        found.append(Diagnostic("OB223", message, secret.span, help="let two nodes make the call, one with each"))
        return Unread(span)
    return made


def _optional(value: Template, span: Span, found: list[Diagnostic]) -> Template:
    for secret in secrets_in(value):
        message = "`$secret` cannot stand in `$optional`: a secret that is not there ends the call"
        found.append(Diagnostic("OB223", message, secret.span, help="let two nodes make the call, one without it"))
        return Unread(span)
    return Perhaps(value, span)


def _secret(tree: Tree, span: Span, found: list[Diagnostic]) -> Template:
    name = tree.value if isinstance(tree, Scalar) else None
    if isinstance(name, str) and SECRET_NAME.match(name):
        return Secret(name, span)
    shown = f"`{name[:80]}` is no name of a secret" if isinstance(name, str) else "`$secret` takes a name"
    advice = "write capital letters, digits and `_`, as in `$secret: SHOP_KEY`: at most 64, and a letter first"
    found.append(Diagnostic("OB222", shown, tree.span, help=advice))
    return Unread(span)


def _scalar(tree: Scalar, found: list[Diagnostic]) -> Template:
    value = tree.value
    if not isinstance(value, str):
        return Literal(value, tree.span)
    if value.startswith("$$"):
        return Literal(value[1:], tree.span)
    if not value.startswith(("$.", "$[")):
        return Literal(value, tree.span)
    path = parse_path(value)
    if isinstance(path, PathError):
        found.append(Diagnostic("OB213", f"`{value}` is no path: {path.message}", _at(tree, path.offset)))
        return Unread(tree.span)
    return _reference(value, path, tree.span, found)


def _at(tree: Scalar, offset: int) -> Span:
    """Point into a path where its text stands unquoted on one line; else at the whole value."""
    span = tree.span
    if not tree.plain or span.line != span.end_line:
        return span
    column = min(span.column + offset, span.end_column - 1)
    return Span(span.file, span.line, column, span.line, span.end_column)


def _reference(text: str, path: tuple[str | int, ...], span: Span, found: list[Diagnostic]) -> Template:
    scope = path[0] if path else ""
    if scope not in SCOPES:
        near = nearest(str(scope), SCOPES)
        known = "paths begin with `$.payload` (in contracts `$.inputs`), `$.nodes` or `$.run`"
        found.append(
            Diagnostic(
                "OB310",
                f"`{text}` names no scope",
                span,
                help=f"did you mean `$.{near}`?" if near else known,
                fix=renamed(span, str(scope), SCOPES),
            )
        )
        return Unread(span)
    if scope in ("payload", "inputs", "each"):
        return Reference(str(scope), None, path[1:], text, span)
    if scope == "run":
        if len(path) != 2 or path[1] not in RUN_FIELDS:
            near = nearest(str(path[1]), RUN_FIELDS) if len(path) > 1 else None
            advice = f"did you mean `$.run.{near}`?" if near else "there are `$.run.id`, `.started_at` and `.actor`"
            found.append(Diagnostic("OB310", f"`{text}` names no member of `$.run`", span, help=advice))
            return Unread(span)
        return Reference("run", None, path[1:], text, span)
    if len(path) < 2 or not isinstance(path[1], str):
        found.append(Diagnostic("OB310", f"`{text}` names no node", span, help="write `$.nodes.<node>.<field>`"))
        return Unread(span)
    return Reference("nodes", path[1], path[2:], text, span)
