"""Admission: from the bytes of a request to a normalised intent, or to all that is wrong with it.

Stages follow one another, and the first that fails answers with all of its findings: size and media type, bytes and
text, the version, the shape, the size of the message, the meaning. Pure: what an intent would meet in the ledger
(another request of its correlation, a turn that is taken) is the ledger's to say, and what may be done with it a
policy's. An empty message is well formed.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import orjson

from omnibachi_model.nearest import nearest
from omnibachi_model.packs import CLAIMS
from omnibachi_model.values import admit as canonical

from .forms import VERSION, fields_of, form_of, normalise
from .reasons import MOST, REASONS, Finding
from .request_schemas import FLAT, FORMS, LARGEST_MESSAGE, Schema, judge_of
from .secret_texts import named, place, secrets_in
from .strict_json import read_object

LARGEST_BODY = 256 * 1024  # bytes
MEDIA_TYPE = "application/json"
# What a declared type asks for, in words.
_WORDS = {"string": "a text", "integer": "a whole number", "object": "an object", "array": "a list"}
_ORDER = {reason: index for index, reason in enumerate(REASONS)}


@dataclass(frozen=True, slots=True)
class Admitted:
    """An intent that the gateway may take: canonical values, as the port `Govern` takes them."""

    anchors: dict[str, Any]
    intent: dict[str, Any]
    identity: dict[str, Any]


def admit(
    body: bytes,
    media_type: str | None,
    identity: dict[str, Any],
    *,
    draw: Callable[[], str],
    intent_types: Mapping[str, Schema],
) -> Admitted | list[Finding]:
    """Judge a request; return the intent, or the findings of the first stage that fails, in the order of REASONS.

    `media_type` is the header as it came, or None; `draw` makes a correlation where none is named and none follows;
    `intent_types` are the schemas of message payloads by the types that are declared.
    """
    found = judge_head(len(body), media_type)
    if found:
        return found
    value = read_object(body)
    if isinstance(value, list):
        return _sorted(value)
    form = form_of(value)
    if form is None:
        detail = f"`{VERSION}` is the integer 2 or 3, or absent for a flat body"
        return [Finding("admission.unsupported_version", detail, f"/{VERSION}")]
    for stage in (_shape, _size, _meaning):
        findings = _sorted(stage(value, form, intent_types))
        if findings:
            return findings
    anchors, intent = normalise(canonical(value), form, identity["principal"], draw)  # type: ignore[arg-type]
    return Admitted(anchors, intent, identity)


def judge_head(length: int | None, media_type: str | None) -> list[Finding]:
    """Judge what is known before a body was read: its length, where it is known, and its media type."""
    found = []
    if length is not None and length > LARGEST_BODY:
        found.append(Finding("transport.too_large", f"a body has at most {LARGEST_BODY} bytes"))
    if media_type is not None and media_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        found.append(Finding("transport.media_type", f"a body is sent as `{MEDIA_TYPE}`"))
    return found


def _sorted(findings: Iterator[Finding] | list[Finding]) -> list[Finding]:
    """Return findings in the order of their reasons, otherwise as they were found."""
    return sorted(findings, key=lambda item: _ORDER[item.reason_code])


def _shape(body: dict[str, Any], form: str, intent_types: Mapping[str, Schema]) -> Iterator[Finding]:
    """Fields by the schema of the form, and the message payload by that of its type."""
    yield from _misfits(judge_of(form), FORMS[form], body, ())
    if form != FLAT and type(body.get("payload")) is not dict:
        return
    fields, at = fields_of(body, form)
    payload, kind = fields.get("payload"), fields.get("intent_type")
    if type(payload) is not dict:
        return
    if type(kind) is str and kind in intent_types:
        schema = intent_types[kind]
        yield from _misfits(_judge(schema), schema, payload, (*at, "payload"))
    for path in itertools.islice(_reserved(payload, (*at, "payload")), MOST):
        yield Finding("admission.invalid_field", "no key of a message begins with `_`", place(path))


def _size(body: dict[str, Any], form: str, _: Mapping[str, Schema]) -> Iterator[Finding]:
    fields, at = fields_of(body, form)
    message = fields["payload"].get("message")
    if type(message) is str and len(message.encode()) > LARGEST_MESSAGE:
        detail = f"a message has at most {LARGEST_MESSAGE} bytes of UTF-8"
        yield Finding("transport.too_large", detail, place((*at, "payload", "message")))


def _meaning(body: dict[str, Any], form: str, intent_types: Mapping[str, Schema]) -> Iterator[Finding]:
    fields, at = fields_of(body, form)
    kind = fields["intent_type"]
    if kind not in intent_types:
        detail = f"no type of intent is called {named(kind)}{_meant(kind, intent_types, 'the types are')}"
        yield Finding("admission.intent_type_unknown", detail, place((*at, "intent_type")))
    parent = fields.get("parent_turn_id")
    if parent is not None and parent == fields.get("turn_id", body.get("correlation_id")):
        yield Finding("admission.invalid_parent", "a turn is not its own parent", place((*at, "parent_turn_id")))
    yield from itertools.islice(_claims(fields.get("inputs") or {}, (*at, "inputs")), MOST)
    if fields.get("declared_refs"):
        detail = "references are not resolved, so none may be declared"
        yield Finding("admission.refs_unsupported", detail, place((*at, "declared_refs")))
    for path in itertools.islice(secrets_in(body), MOST):
        yield Finding("admission.secrets_present", "what looks like a secret is not taken down", place(path))


def _claims(inputs: Mapping[str, Any], at: tuple[str | int, ...]) -> Iterator[Finding]:
    for key, value in inputs.items():
        path = (*at, key)
        if key not in CLAIMS:
            detail = f"no claim is called {named(key)}{_meant(key, CLAIMS, 'the claims are')}"
            yield Finding("admission.invalid_input", detail, place(path))
        for deeper in _floats(value, path):
            yield Finding("admission.invalid_input", "a claim holds no number with a fraction", place(deeper))


def _misfits(
    judge: jsonschema_rs.Draft202012Validator, schema: Schema, value: Any, at: tuple[str | int, ...]
) -> Iterator[Finding]:
    """Yield what of a value does not fit its schema: what is missing, what is invalid once each, what is unknown."""
    if judge.is_valid(value):
        return
    told = set[tuple[str | int, ...]]()
    for error in judge.iter_errors(_shortened(value)):
        path, kind = (*at, *error.instance_path), error.kind
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
            yield Finding("admission.missing_field", f"`{kind.property}` is missing", place((*path, kind.property)))
        elif isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
            known = _at(schema, error.schema_path[:-1]).get("properties", {})
            for name in kind.unexpected[:MOST]:
                detail = f"no field is called {named(name)}{_elsewhere(name, known, schema)}"
                yield Finding("admission.unknown_field", detail, place((*path, name)))
        elif path not in told:
            wanted = _at(schema, error.schema_path[:-1])
            known = wanted.get("description") or _WORDS.get(str(wanted.get("type")), "what its type asks for")
            yield Finding("admission.invalid_field", f"{_called(path)} is not {known}", place(path))
        told.add(path)
    if not told:
        yield Finding("admission.invalid_field", f"{_called(at)} is not what its type asks for", place(at))


def _elsewhere(name: str, known: Mapping[str, Any], schema: Schema) -> str:
    """Say what an unknown field may be: one that belongs elsewhere in the envelope, or a misspelt one."""
    outer = schema.get("properties", {})
    inner = outer.get("payload", {}).get("properties", {})
    if known is outer and name in inner:
        return ": it stands inside `payload`"
    if known is inner and name in outer:
        return ": it stands beside `payload`"
    return _meant(name, known, "the fields are")


def _meant(name: str, known: Mapping[str, Any] | Sequence[str], otherwise: str) -> str:
    near = nearest(name, known)
    if near:
        return f"; the nearest is `{near}`"
    return f"; {otherwise} {', '.join(f'`{item}`' for item in known)}" if known else ""


def _shortened(value: Any) -> Any:
    """Return a value whose lists end after MOST items: each item that is wrong costs time, and so many are not told."""
    if type(value) is dict:
        return {key: _shortened(item) for key, item in value.items()}
    return [_shortened(item) for item in value[:MOST]] if type(value) is list else value


def _called(path: tuple[str | int, ...]) -> str:
    """Name what stands at a path: a field by its name, an item of a list by its number and the list's name."""
    if not path:
        return "the body"
    return named(path[-1]) if isinstance(path[-1], str) else f"item {path[-1]} of {named(str(path[-2]))}"


def _at(schema: Any, path: Sequence[str | int]) -> Any:
    return functools.reduce(lambda part, step: part[step], path, schema)


def _judge(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    """Return what judges by a schema; to make it anew for each request would cost as much as all the rest."""
    return _judge_of(orjson.dumps(schema))


@functools.lru_cache(maxsize=64)
def _judge_of(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(orjson.loads(schema))


def _reserved(value: Any, at: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of keys that begin with `_`, at any depth: they are for what the gateway adds."""
    if type(value) is dict:
        for key, item in value.items():
            if key.startswith("_"):
                yield (*at, key)
            else:
                yield from _reserved(item, (*at, key))
    elif type(value) is list:
        for index, item in enumerate(value):
            yield from _reserved(item, (*at, index))


def _floats(value: Any, at: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if type(value) is float:
        yield at
    elif type(value) is dict:
        for key, item in value.items():
            yield from _floats(item, (*at, key))
    elif type(value) is list:
        for index, item in enumerate(value):
            yield from _floats(item, (*at, index))
