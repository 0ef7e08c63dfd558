"""The shape check: does a document have the keys and values that its kind asks for?

Each document is validated against the language's own schema of its kind (`language/`); the validator's findings are
put into words with their places. Everything that is wrong is reported at once. Schemas, templates, paths and
expressions inside a document are checked by the phases that understand them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from omnibachi_model.diagnostics import Diagnostic, Span, in_order
from omnibachi_model.nearest import nearest

from .fixes import removed, renamed
from .language import LATER, LATER_KINDS, SCHEMAS
from .language.durations import DURATION, WITHIN
from .loader import is_hole, short
from .shape_nodes import homeless, lonely
from .shape_places import Place, at
from .shape_words import form_of, listing, misnamed, mistyped, reshaped
from .tree import Entry, Mapping, Scalar, Sequence, Tree, plain

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

    from omnibachi_model.values import JSON

_GRAPHS = ("workflow", "contract")
_ASIDE = ("summary", "result", "because", "keeps", "seed", "evidence", "hosts", "examples")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a document is: its kind (None when it cannot be told), whether it can be declared, what was found, and the
    nodes of a workflow that cannot be understood."""

    kind: str | None
    sound: bool
    diagnostics: tuple[Diagnostic, ...]
    broken: frozenset[str] = frozenset()


def check_shape(tree: Tree) -> Shape:
    """Check one document against the schema of its kind.

    Diagnostics: OB201 to OB206, OB211, OB212, OB220, OB221, OB314.
    """
    kind, found = _kind_of(tree)
    if kind is None or not isinstance(tree, Mapping):
        return Shape(None, False, found)
    value = plain(tree)
    errors = [
        (at(tree, error.absolute_path), error)
        for whole in (() if _is_sound(kind, value) else _validator(kind).iter_errors(value))
        for error in _opened(whole)
    ]
    # A value that the text leaves out has been reported by the loader.
    known = [(place, error) for place, error in errors if not is_hole(place.tree.span)]
    diagnostics = [*found, *_worded(known)]
    if kind == "test":
        diagnostics.extend(_steps(tree))
    harmful = [tuple(error.absolute_path) for _, error in errors if not _harmless(error)]
    broken = frozenset(str(path[1]) for path in harmful if kind in _GRAPHS and path[:1] == ("nodes",) and path[1:])
    sound = (kind, found) == (tree.entries[0].key, ()) and len(broken) == len({path[:2] for path in harmful})
    return Shape(kind, sound, in_order(diagnostics), broken)


def _opened(error: ValidationError) -> Iterator[ValidationError]:
    """Yield what is wrong with a value of one of several types: by the schema of its own type, if there is one."""
    if error.validator != "anyOf":
        yield error
        return
    inner = error.context or ()
    others = {item.relative_schema_path[0] for item in inner if list(item.relative_schema_path)[1:] == ["type"]}
    meant = [item for item in inner if item.relative_schema_path[0] not in others]
    for item in meant:
        yield from _opened(item)
    if not meant:
        yield error


def _harmless(error: ValidationError) -> bool:
    """Tell whether a finding leaves the rest of its document meaning what it says.

    A key that is misspelt does, unless what it should have been is missed elsewhere.
    """
    wanted: Any = error.validator_value
    instance: Any = error.instance
    if error.absolute_path and error.absolute_path[0] == "limits":
        return True  # only what is sealed needs them
    if error.validator == "required":
        return [key for key in wanted if key not in instance] == ["summary"]
    if error.validator == "additionalProperties":
        properties: Any = error.schema
        known = [key for key in properties["properties"] if key not in instance]
        extras = [key for key in instance if key not in properties["properties"]]
        return all(nearest(key, known) in (None, *_ASIDE) for key in extras)
    if error.validator == "enum":
        # Only what is sealed needs them; in a law they say what it means.
        return error.absolute_path[-1] in ("status", "effect") and "every_path" not in error.absolute_path
    # A reserved key of a node changes what the node does.
    return error.validator == "not" and "enum" not in wanted and "nodes" not in error.absolute_path


def _is_sound(kind: str, value: JSON) -> bool:
    """Tell whether nothing is wrong with a document, at a fortieth of the price of saying what is."""
    try:
        return _judge(kind).is_valid(value)
    except ValueError:  # It holds what no JSON can, and the loader has said so.
        return False


@functools.cache
def _judge(kind: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(SCHEMAS[kind])


@functools.cache
def _validator(kind: str) -> Draft202012Validator:
    # Imported here: it takes its time, and only what is wrong needs it.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(SCHEMAS[kind])


def _kind_of(tree: Tree) -> tuple[str | None, tuple[Diagnostic, ...]]:
    """Tell the kind of a document by its first key, or say why it cannot be told."""
    kinds = ", ".join(f"`{kind}:`" for kind in SCHEMAS)
    if not isinstance(tree, Mapping) or not tree.entries:
        if is_hole(tree.span):
            return None, ()
        message = f"a document is a mapping, not {mistyped(plain(tree))}"
        if isinstance(tree, Mapping):
            message = "a document says with its first key what it declares, and this one has none"
        return None, (Diagnostic("OB204", message, Place(tree).span, help=f"begin it with one of {kinds}"),)
    first = tree.entries[0]
    if first.key in SCHEMAS:
        return first.key, ()
    if first.key in LATER_KINDS:
        message = f"`{first.key}:` is reserved for a later version"
        return None, (Diagnostic("OB212", message, first.key_span, help="leave the document out until then"),)
    guess = nearest(first.key, (*SCHEMAS, *LATER_KINDS))
    meant = None if guess else _kind_by_keys(tree)
    if meant is not None:
        message = f"the first key says what a document declares, and `{short(first.key)}` does not"
        return meant, (Diagnostic("OB201", message, first.key_span, help=f"put `{meant}:` first"),)
    message = f"no kind of document begins with `{short(first.key)}:`"
    advice = f"did you mean `{guess}:`?" if guess else f"begin with one of {kinds}"
    fix = renamed(first.key_span, first.key, (*SCHEMAS, *LATER_KINDS))
    return None, (Diagnostic("OB201", message, first.key_span, help=advice, fix=fix),)


def _kind_by_keys(tree: Mapping) -> str | None:
    """Return the kind whose key stands somewhere in the document and that knows the most of its keys."""
    keys = {entry.key for entry in tree}
    kinds = [kind for kind in SCHEMAS if kind in keys]
    return max(kinds, key=lambda kind: len(keys & SCHEMAS[kind]["properties"].keys()), default=None)


def _worded(errors: list[tuple[Place, ValidationError]]) -> Iterator[Diagnostic]:
    """Put the validator's findings into words, without those that only follow from others."""
    mistyped_paths = {tuple(error.absolute_path) for _, error in errors if error.validator == "type"}
    said: set[tuple[Any, ...]] = set()
    for place, error in errors:
        path = tuple(error.absolute_path)
        if path in mistyped_paths and error.validator != "type":
            continue
        if error.validator == "required":
            # The validator reports each missing key on its own, without saying which.
            if ("required", *path) not in said:
                said.add(("required", *path))
                yield from _missing(place, error)
        elif error.validator == "dependentRequired":
            if ("dependent", *path) not in said:
                said.add(("dependent", *path))
                yield from lonely(place, error)
        elif error.validator == "not" and error.validator_value == {}:
            # One reserved key of a mapping is enough to say; the others belong to it.
            if ("later", *path[:-1]) not in said:
                said.add(("later", *path[:-1]))
                message = f"{place.name} is reserved for a later version"
                yield Diagnostic("OB212", message, place.key_span or place.span, help="leave it out until then")
        else:
            yield from _one(place, error)


def _one(place: Place, error: ValidationError) -> Iterator[Diagnostic]:
    """Word one finding that is neither a missing nor a reserved key."""
    rule: Any = error.validator
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if "propertyNames" in error.absolute_schema_path:
        yield _malformed_key(place, error)
    elif rule == "additionalProperties":
        yield from _unknown(place, schema)
    elif rule == "oneOf":
        yield from homeless(place) if "dependentSchemas" in error.absolute_schema_path else _not_one(place, schema)
    elif schema in (DURATION, WITHIN):
        value = plain(place.tree)
        message = f"{place.name} must be a duration, and {_told(value)} is none"
        forms = "`200ms`, `5s`, `10m` or `2h`; at most 24 hours"
        told = forms if schema == DURATION else "`30m`, `24h` or `3d`; at most 366 days"
        yield Diagnostic("OB220", message, place.span, help=f"write {told}")
    elif rule == "type":
        value = plain(place.tree)
        message = f"{place.name} must be {schema['title']}, not {mistyped(value)}"
        yield Diagnostic("OB204", message, place.span, help=reshaped(value, schema))
    elif rule in ("minLength", "minItems", "minProperties"):
        advice = form_of(schema) if "examples" in schema else None
        yield Diagnostic("OB204", f"{place.name} must be {schema['title']}, and is empty", place.span, help=advice)
    elif rule == "uniqueItems":
        yield Diagnostic("OB204", f"{place.name} names something twice", place.span, help="name each once")
    elif rule == "enum":
        value = str(plain(place.tree))
        if schema.get("not") == {"const": value}:
            return
        guess = nearest(value, wanted)
        advice = f"did you mean `{guess}`?" if guess else None
        message = f"`{short(value)}` is not {schema['title']}: it is one of {listing(wanted)}"
        yield Diagnostic("OB205", message, place.span, help=advice, fix=renamed(place.span, value, wanted))
    elif rule == "pattern":
        value = str(plain(place.tree))
        message, form = misnamed(value, schema)
        yield Diagnostic("OB205" if "format" in schema else "OB206", message, place.span, help=form)
    elif rule in ("minimum", "maximum"):
        bounded = "" if "maximum" in schema else f", at least {wanted}"
        message = f"{place.name} must be {schema['title']}{bounded}"
        advice = f"write {wanted} or {'more' if rule == 'minimum' else 'less'}"
        yield Diagnostic("OB205", message, place.span, help=advice)
    elif rule == "not":
        message = f"`{plain(place.tree)}` is reserved for a later version"
        yield Diagnostic("OB212", message, place.span, help="leave it out until then")
    else:
        advice = form_of(schema) if "examples" in schema else None
        message = f"{place.name} must be {schema.get('title', 'of another shape')}"
        yield Diagnostic("OB204", message, place.span, help=advice)


def _missing(place: Place, error: ValidationError) -> Iterator[Diagnostic]:
    schema: Any = error.schema
    required: Any = error.validator_value
    instance: Any = error.instance
    title, properties = schema.get("title", "this"), schema["properties"]
    for key in required:
        # A misspelt one is reported as such.
        if key in instance or any(nearest(other, required) == key for other in instance if other not in properties):
            continue
        what = properties[key].get("title")
        yield Diagnostic("OB203", f"{title} needs `{key}`", place.label, help=f"add `{key}:`, {what}" if what else None)


def _told(value: JSON) -> str:
    return f"`{short(value)}`" if isinstance(value, str) else mistyped(value)


def _unknown(place: Place, schema: Any) -> Iterator[Diagnostic]:
    assert isinstance(place.tree, Mapping)
    known = [key for key, value in schema["properties"].items() if value != LATER]
    present = {entry.key for entry in place.tree}
    for entry in place.tree:
        if entry.key in schema["properties"]:
            continue
        guess = nearest(entry.key, [key for key in known if key not in present])
        advice = f"did you mean `{guess}`?" if guess else f"known here: {listing(known)}"
        message = f"`{short(entry.key)}` is not known in {schema['title']}"
        fix = renamed(entry.key_span, entry.key, [key for key in known if key not in present])
        yield Diagnostic("OB202", message, entry.key_span, help=advice, fix=fix)


def _not_one(place: Place, schema: Any) -> Iterator[Diagnostic]:
    """Report a node without or with several actions, or a step without or with several sources."""
    assert isinstance(place.tree, Mapping)
    choices = [option["required"][0] for option in schema["oneOf"]]
    given = [entry for entry in place.tree if entry.key in choices]
    others = [entry.key for entry in place.tree if entry.key not in choices]
    properties = schema["properties"]
    if not given:
        # A reserved action or a misspelt one is reported as that.
        if any(properties.get(key) == LATER for key in others) or {"each", "repeat"} & set(others):
            return
        if any(nearest(key, choices) for key in others if key not in properties):
            return
    code = "OB211" if "decide" in choices else "OB204"
    what = "nothing" if not given else "more than one thing: " + " and ".join(f"`{entry.key}`" for entry in given)
    name = place.name if place.key is not None else schema["title"]
    span = given[1].key_span if given else place.label
    yield Diagnostic(code, f"{name} does {what}", span, help=f"give {schema['title']} one of {listing(choices)}")


def _malformed_key(place: Place, error: ValidationError) -> Diagnostic:
    """Word a key of a mapping of names that does not have the form of such a name."""
    assert isinstance(place.tree, Mapping)
    key = str(error.instance)
    entry = place.tree.entry(key)
    span = entry.key_span if entry else place.span
    schema: Any = error.schema
    if "dependentSchemas" in error.absolute_schema_path:
        message = f"`{key}` is not known in {schema['title']}"
        # Other keys say what the node does, and which of two was meant is not known.
        fix = removed(_whole(entry), key) if entry and key in ("store", "event") else None
        return Diagnostic("OB202", message, span, help=schema["description"], fix=fix)
    if error.validator == "not":
        advice = "no capability declares it: it is what a crash, a deadline or a lost answer becomes"
        return Diagnostic("OB314", f"`{key}` is a reserved outcome", span, help=advice)
    message, advice = misnamed(key, schema)
    return Diagnostic("OB206", message, span, help=advice)


def _whole(entry: Entry) -> Span:
    start, end = entry.key_span, entry.value.span
    return Span(start.file, start.line, start.column, end.end_line, end.end_column)


def _steps(tree: Mapping) -> Iterator[Diagnostic]:
    """Report steps of a scenario that say no workflow, or repeat a step that is not earlier or has no payload."""
    steps = tree.get("steps")
    if not isinstance(steps, Sequence):
        return
    loads: set[int] = set()
    for number, step in enumerate(steps, 1):
        if not isinstance(step, Mapping):
            continue
        if step.entry("load"):
            loads.add(number)
        elif not step.entry("workflow") and not tree.entry("workflow") and step.entry("payload"):
            message = "neither the step nor the scenario names a workflow"
            yield Diagnostic("OB203", message, Place(step).label, help="add `workflow:`, the address of a workflow")
        earlier = step.get("payload_of")
        if isinstance(earlier, Scalar) and type(earlier.value) is int and earlier.value >= 1:
            if earlier.value >= number:
                yield Diagnostic("OB205", f"`{earlier.value}` is no earlier step: this is step {number}", earlier.span)
            elif earlier.value in loads:
                yield Diagnostic("OB205", f"step {earlier.value} has no payload: it loads records", earlier.span)
