"""Schemas: from a schema's tree to its sealed form, the closed subset of JSON Schema 2020-12 that can be proven with.

Sealing expands `$ref`s to the local `$defs`, drops `title` and `description`, sorts `required`, writes a `type` as a
name or [name, "null"], gives a `pattern` without `maxLength` one of 10,000, and leaves `additionalProperties: true`
away. Everything that the subset does not hold is refused with its place: a schema that is half understood would make
the proofs that rest on it worthless.

A member with a `default` is taken out of `required`: it need not be given and is always there once defaults are
filled in, which happens at the gate and at a call only. Elsewhere (outcomes, records of stores, events) `default` is
refused with `defaults=False`. `secret` and `public` are kept where they say true (see `marks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from omnibachi_model.checks import TYPES
from omnibachi_model.diagnostics import Diagnostic, Fix, Span
from omnibachi_model.nearest import nearest
from omnibachi_model.sealed import ITEM
from omnibachi_model.values import pointer

from .declarations import Field
from .fixes import renamed
from .keywords import READERS, SUBJECTS, applies, judge_default, settle, text_of
from .loader import is_hole
from .marks import MARKS, NONE, contradiction, mark
from .phase import Phase
from .tree import Mapping, Scalar, Sequence, Tree, plain

Schema: TypeAlias = dict[str, Any]

MOST_NODES = 20_000
MOST_LEVELS = 48  # levels of JSON in a sealed schema; a sealed file may have 64 in all
KEYWORDS = ("type", "enum", "const", "default", "title", "description", "$ref", "$defs", *SUBJECTS, *MARKS)
_BESIDE_REFERENCE = ("$ref", "$defs", "default", "title", "description", *MARKS)


@dataclass(frozen=True, slots=True)
class Part:
    """A sealed schema (or a part of one), its size in schemas and its depth in levels of JSON."""

    value: Any
    size: int = 1
    depth: int = 1


OPEN = Part({})
# Gives the schema that a `$ref` names, as it is sealed where defaults and these marks may stand or not.
Named: TypeAlias = "Callable[[Scalar, bool, frozenset[str]], Phase[Part]]"


@dataclass(slots=True)
class _Sealing:
    """What is known while one schema is sealed."""

    definitions: dict[str, Tree]
    defaults: bool
    marks: frozenset[str] = NONE
    named: Named | None = None
    found: list[Diagnostic] = field(default_factory=list)
    sealed: dict[str, Part] = field(default_factory=dict)
    trail: list[str] = field(default_factory=list)  # definitions that are being expanded
    level: int = 0  # how deep the schema is that is being sealed, expansions counted

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        help: str | None = None,
        severity: str = "error",
        fix: Fix | None = None,
    ) -> None:
        """Add a diagnostic, but for a value that was left out."""
        if is_hole(span):
            return
        self.found.append(Diagnostic(code, message, span, help=help, severity=severity, fix=fix))


def seal_schema(
    tree: Mapping, *, defaults: bool = True, marks: frozenset[str] = NONE, named: Named | None = None
) -> Phase[Schema]:
    """Seal a schema; what could not be understood is left open in the value and reported (OB207 to OB210, OB530).

    `marks` are those that may stand in it; `named` gives the named schemas. A pattern that may take long is a warning
    (OB216).
    """
    phase = seal_part(tree, defaults=defaults, marks=marks, named=named, member=False)
    return Phase(phase.value.value, phase.diagnostics)


def seal_fields(
    fields: tuple[Field, ...], *, defaults: bool = True, marks: frozenset[str] = NONE, named: Named | None = None
) -> Phase[Schema]:
    """Seal the fields of `inputs` or of an outcome as a closed object schema; `marks` are those that they may have.

    All are required unless their schema says `optional: true` or has a `default`.
    """
    found: list[Diagnostic] = []
    properties: Schema = {}
    required: list[str] = []
    for item in fields:
        tree = item.schema
        entry = tree.entry("optional")
        optional = False
        if entry is not None:
            tree = Mapping(tuple(other for other in tree.entries if other is not entry), tree.span)
            if isinstance(entry.value, Scalar) and isinstance(entry.value.value, bool):
                optional = entry.value.value
            else:
                found.append(Diagnostic("OB208", "`optional` is true or false", entry.value.span))
        phase = seal_part(tree, defaults=defaults, marks=marks, named=named, member=True)
        found.extend(phase.diagnostics)
        sealed = phase.value.value
        wrong = contradiction(sealed, tree)
        if wrong is not None:
            found.append(wrong)
        properties[item.name.text] = sealed
        if not optional and "default" not in sealed:
            required.append(item.name.text)
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = sorted(required)
    return Phase(schema, tuple(found))


def member_places(tree: Tree | None, at: str = "") -> dict[str, Span]:
    """Return where each member is declared of the values that a schema is of, by JSON Pointer, `*` for any item.

    What stands behind a `$ref` is left out: it says the same of several members.
    """
    found: dict[str, Span] = {}
    if not isinstance(tree, Mapping):
        return found
    properties = tree.get("properties")
    for entry in properties if isinstance(properties, Mapping) else ():
        place = f"{at}{pointer((entry.key,))}"
        found |= {place: entry.key_span, **member_places(entry.value, place)}
    return found | member_places(tree.get("items"), f"{at}/{ITEM}")


def seal_part(
    tree: Mapping, *, defaults: bool, marks: frozenset[str], named: Named | None, member: bool
) -> Phase[Part]:
    """Seal a schema, as a part of others; `member`: it may be one of an object, and have a default of its own."""
    definitions = tree.get("$defs")
    state = _Sealing({}, defaults, marks, named)
    if isinstance(definitions, Mapping):
        state.definitions.update((entry.key, entry.value) for entry in definitions)
    elif definitions is not None:
        state.report("OB208", "`$defs` is a mapping of schemas", definitions.span)
    for name in state.definitions:
        _definition(name, state)
    sealed = _seal(tree, state, member=member, top=True)
    if sealed.size > MOST_NODES:
        state.report(
            "OB210", f"the schema expands to {sealed.size} schemas; at most {MOST_NODES} are sealed", tree.span
        )
        sealed = OPEN
    elif sealed.depth > MOST_LEVELS:
        state.report(
            "OB210", f"the schema expands to {sealed.depth} levels; at most {MOST_LEVELS} are sealed", tree.span
        )
        sealed = OPEN
    return Phase(sealed, tuple(state.found))


def _seal(tree: Tree, state: _Sealing, *, member: bool = False, top: bool = False) -> Part:
    if not isinstance(tree, Mapping):
        state.report("OB208", "a schema is a mapping of keywords", tree.span, "write `{}` where any value may stand")
        return OPEN
    if state.level >= MOST_LEVELS:
        state.report("OB210", f"the schema expands to more than {MOST_LEVELS} levels", tree.span)
        return OPEN
    state.level += 1
    expanding = tree.entry("$ref") is not None
    sealed = (_reference if expanding else _keywords)(tree, state, member=member, top=top)
    state.level -= 1
    return sealed


def _keywords(tree: Mapping, state: _Sealing, *, member: bool, top: bool) -> Part:
    types = _types(tree, state)
    out: Schema = {}
    if types:
        out["type"] = types[0] if len(types) == 1 else types
    size, depth = 1, 1
    for entry in tree:
        key = entry.key
        if key in ("type", "default", *MARKS) or (key == "$defs" and top):
            continue
        if types and not applies(key, types):
            shown = " or ".join(f"`{name}`" for name in types)
            state.report("OB208", f"`{key}` says nothing about {shown}", entry.key_span, "remove it or mend the `type`")
            continue
        part = _keyword(key, entry.value, entry.key_span, state)
        if part is not None:
            out[key] = part.value
            size, depth = size + part.size, max(depth, part.depth + 1)
    settle(tree, out, state.report)
    out |= _marks(tree, state, field=top)
    _default(tree, out, state, member=member)
    return Part(out, size, max(depth, 1 + _levels(out.get("default"))))


def _marks(tree: Mapping, state: _Sealing, *, field: bool) -> Schema:
    """Read the marks of one schema; `field`: it is the outermost one."""
    entries = [entry for entry in tree if entry.key in MARKS]
    return {
        entry.key: True
        for entry in entries
        if mark(entry.key, entry.value, entry.key_span, state.marks, field=field, found=state.found)
    }


def _keyword(key: str, tree: Tree, key_span: Span, state: _Sealing) -> Part | None:
    """Read the value of one keyword; None where there is nothing to seal."""
    if key in ("title", "description"):
        if text_of(tree) is None:
            state.report("OB208", f"`{key}` is text", tree.span)
        return None
    if key == "properties":
        return _properties(tree, state)
    if key == "items":
        return _seal(tree, state)
    if key == "additionalProperties":
        if isinstance(tree, Scalar) and isinstance(tree.value, bool):
            return None if tree.value else Part(False, 0)
        return _seal(tree, state)
    if key == "const":
        return Part(plain(tree), 0, 1 + _levels(plain(tree)))
    if key in READERS:
        value = READERS[key](key, tree, state.report)
        return None if value is None else Part(value, 0, 1 + _levels(value))
    if key == "optional":
        advice = "use `required`"
        state.report("OB207", "`optional` stands at a field of `inputs` or of an outcome only", key_span, advice)
    elif key == "$defs":
        state.report("OB207", "`$defs` stands at the top of a schema only", key_span)
    else:
        near = nearest(key, KEYWORDS)
        advice = f"did you mean `{near}`?" if near else f"known: {', '.join(f'`{known}`' for known in KEYWORDS)}"
        state.report(
            "OB207", f"`{key}` is no keyword of a schema here", key_span, advice, fix=renamed(key_span, key, KEYWORDS)
        )
    return None


def _levels(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(_levels, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(_levels, value.values()), default=0)
    return 0


def _types(tree: Mapping, state: _Sealing) -> list[str]:
    """Read `type`: a name, or a name with "null"; nothing where there is none or it is wrong."""
    value = tree.get("type")
    if value is None:
        return []
    names: list[str] = []
    for item in value.items if isinstance(value, Sequence) else (value,):
        name = text_of(item)
        if name in TYPES:
            names.append(name)
            continue
        near = nearest(name, TYPES) if name else None
        advice = f"did you mean `{near}`?" if near else f"the types are {', '.join(f'`{known}`' for known in TYPES)}"
        if isinstance(item, Scalar) and item.value is None:
            advice = "write 'null' in quotes"
        message = f"`{name}` is no type" if name else "a `type` is named by text"
        state.report("OB208", message, item.span, advice, fix=renamed(item.span, name or "", TYPES))
        return []
    if len(names) == 1 or (len(names) == 2 and names.count("null") == 1):
        return sorted(names, key=lambda name: name == "null")
    state.report("OB208", "a `type` is one name, or a list of one name and 'null'", value.span)
    return []


def _properties(tree: Tree, state: _Sealing) -> Part | None:
    if not isinstance(tree, Mapping):
        state.report("OB208", "`properties` is a mapping of schemas", tree.span)
        return None
    parts = {entry.key: _seal(entry.value, state, member=True) for entry in tree}
    size = sum(part.size for part in parts.values())
    depth = max((part.depth for part in parts.values()), default=0)
    return Part({name: part.value for name, part in parts.items()}, size, depth + 1)


def _default(tree: Mapping, out: Schema, state: _Sealing, *, member: bool) -> None:
    """Read `default` into `out`, where a default may stand and fits."""
    entry = tree.entry("default")
    if entry is None:
        return
    if not state.defaults:
        state.report("OB208", "a `default` is filled in at the gate or at a call only", entry.key_span, "leave it out")
    elif not member:
        state.report("OB208", "a `default` stands at a member of an object only", entry.key_span, "leave it out")
    elif judge_default(plain(entry.value), out, entry.value.span, state.report):
        out["default"] = plain(entry.value)


def _reference(tree: Mapping, state: _Sealing, *, member: bool, top: bool) -> Part:
    """Expand a `$ref`, which may have a default, a title and a description beside it."""
    for entry in tree:
        if entry.key not in _BESIDE_REFERENCE or (entry.key == "$defs" and not top):
            state.report(
                "OB208", f"`{entry.key}` cannot stand beside `$ref`", entry.key_span, "put it into the `$defs`"
            )
    value = tree.get("$ref")
    assert value is not None
    sealed = _referred(value, state)
    out = {key: item for key, item in sealed.value.items() if member or key != "default"}
    for entry in tree:
        if entry.key in MARKS and mark(
            entry.key, entry.value, entry.key_span, state.marks, field=top, found=state.found
        ):
            out[entry.key] = True
    _default(tree, out, state, member=member)
    return Part(out, sealed.size, max(sealed.depth, 1 + _levels(out.get("default"))))


def references(tree: Tree | None) -> Iterator[Scalar]:
    """Yield where a schema, at any depth, refers to something other than its own definitions."""
    if not isinstance(tree, Mapping):
        return
    value = tree.get("$ref")
    if isinstance(value, Scalar) and isinstance(value.value, str) and not value.value.startswith("#"):
        yield value
    for key in ("items", "additionalProperties"):
        yield from references(tree.get(key))
    for key in ("properties", "$defs"):
        inner = tree.get(key)
        for entry in inner if isinstance(inner, Mapping) else ():
            yield from references(entry.value)


def _referred(value: Tree, state: _Sealing) -> Part:
    """Return what a `$ref` leads to: a definition of this schema, or a schema that has a name of its own."""
    text = text_of(value)
    if text is not None and not {*"#/"} & {*text} and isinstance(value, Scalar) and state.named is not None:
        found = state.named(value, state.defaults, state.marks)
        state.found.extend(found.diagnostics)
        return found.value
    if text is None or not text.startswith("#/$defs/") or "/" in text[8:]:
        message = "a `$ref` leads to a definition of this schema, `#/$defs/NAME`, or to a named schema, `SC_NAME_V0`"
        state.report("OB210", message, value.span)
        return OPEN
    name = text[8:].replace("~1", "/").replace("~0", "~")
    if name not in state.definitions:
        near = nearest(name, state.definitions)
        advice = f"did you mean `#/$defs/{near}`?" if near else "add it to the `$defs` at the top of this schema"
        state.report("OB210", f"there is no `{name}` among the `$defs`", value.span, advice)
        return OPEN
    if name in state.trail:
        circle = " -> ".join(f"`{item}`" for item in (*state.trail[state.trail.index(name) :], name))
        state.report("OB210", f"a `$ref` leads in a circle: {circle}", value.span)
        return OPEN
    return _definition(name, state)


def _definition(name: str, state: _Sealing) -> Part:
    """Seal a definition once, however often it is referred to."""
    if name not in state.sealed:
        state.trail.append(name)
        sealed = _seal(state.definitions[name], state, member=True)
        state.trail.pop()
        state.sealed[name] = sealed if sealed.size <= MOST_NODES and sealed.depth <= MOST_LEVELS else OPEN
        if state.sealed[name] is not sealed:
            state.report("OB210", f"the definition `{name}` expands to too much", state.definitions[name].span)
    return state.sealed[name]
