"""Which values a schema takes or gives, old against new: decided by inclusion, told at the narrowest place.

Taken (payloads, inputs, stored records): everything that the old schema took must be taken by the new one. Given
(outcomes, results): everything that is given now must be what could be given before, further members aside.

`Types` is how this room asks about schemas: the proofs belong to the compiler, and whoever joins the rooms hands them
in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from omnibachi_model.digests import encode
from omnibachi_model.secrecy import PUBLIC, SECRET, holds_secret

Schema: TypeAlias = dict[str, Any]
Found: TypeAlias = tuple[str, str, str]  # rule, JSON Pointer, in words


@dataclass(frozen=True, slots=True)
class Types:
    """What can be proven of schemas.

    `fits(a, b)`: every value of `a` is one of `b` (True is a proof). `join` gives a schema that holds the values of all
    of some schemas, at least one. `member(schema, segment)` is the schema of what a path segment reads, None where no
    value has it.
    """

    fits: Callable[[Schema, Schema], bool]
    join: Callable[[list[Schema]], Schema]
    member: Callable[[Schema, str | int], Schema | None]


def taken(old: Schema, new: Schema, types: Types, pointer: str = "") -> list[Found]:
    """Compare what is taken: (rule, pointer, words) for each place that differs."""
    if encode(old) == encode(new):
        return []
    found = [*_marks(old, new, pointer), *_default(old, new, pointer), *_inside(old, new, types, pointer)]
    before, after = _bare(old), _bare(new)
    narrower = [one for one in found if one[0] == "takes-less"]
    if encode(before) == encode(after):
        return found or [("takes-the-same", pointer, "is written otherwise")]
    if types.fits(before, after):
        same = types.fits(after, before)
        told = [one for one in found if one[0] != "takes-less"]
        rule, words = ("takes-the-same", "is written otherwise") if same else ("takes-more", "takes more values")
        return told or [(rule, pointer, words)]
    if not narrower:
        words = "takes other values" if _kinds(old) != _kinds(new) else "takes fewer or other values"
        found.append(("takes-less", pointer, _worded(old, new) or words))
    return found


def _inside(old: Schema, new: Schema, types: Types, pointer: str) -> Iterator[Found]:
    """Compare member by member, or item by item, where both are plain records or lists."""
    if any(key in schema for key in ("const", "enum") for schema in (old, new)) or _kinds(old) != _kinds(new):
        return
    if _kinds(old) <= {"object", "null"} and "object" in _kinds(old):
        yield from _members(old, new, types, pointer)
    elif _kinds(old) <= {"array", "null"} and "array" in _kinds(old):
        yield from taken(old.get("items", {}), new.get("items", {}), types, f"{pointer}/*")


def _members(old: Schema, new: Schema, types: Types, pointer: str) -> Iterator[Found]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for key in sorted({*before, *after}):
        place = f"{pointer}/{_escaped(key)}"
        needed, was_needed = key in _needed(new), key in _needed(old)
        if key not in before:
            yield from _new_member(old, after[key], types, place, needed)
            continue
        if needed and not was_needed:
            yield "takes-less", place, "is required now"
        elif was_needed and not needed and key in after:
            yield "takes-more", place, "may be left out now"
        if key in after:
            yield from taken(before[key], after[key], types, place)
        elif new.get("additionalProperties", True) is False:
            yield "takes-less", place, "is no member any more: it is refused"
        elif not types.fits(_bare(before[key]), _bare(_extra(new))):
            yield "takes-less", place, "is no member any more, and what other members may be is narrower"
        else:
            yield "takes-more", place, "is any value now"
    more, was_more = _extra_of(new), _extra_of(old)
    if was_more is not None and more is None:
        yield "takes-less", pointer, "members that are not named are refused now"
    elif was_more is None and more is not None:
        yield "takes-more", pointer, "members that are not named are taken now"
    elif was_more is not None and more is not None and not types.fits(_bare(was_more), _bare(more)):
        yield "takes-less", pointer, "members that are not named must be narrower now"


def _new_member(old: Schema, schema: Schema, types: Types, place: str, needed: bool) -> Iterator[Found]:
    extra = _extra_of(old)
    if needed:
        yield "takes-less", place, "is a new member, and required"
    elif extra is not None and not types.fits(_bare(extra), _bare(schema)):
        yield "takes-less", place, "could be any value, and is declared now"
    elif "default" in schema:
        yield "default-added", place, f"is a new member; left out, it is {_short(schema['default'])}"
    else:
        yield "takes-more", place, "is a new member that may be left out"


def _marks(old: Schema, new: Schema, pointer: str) -> Iterator[Found]:
    """Compare what is said of secrets; below what neither lists nor names, as a whole."""
    if bool(new.get(SECRET)) is not bool(old.get(SECRET)):
        yield ("secret-added", pointer, "is secret now") if SECRET in new else ("secret-dropped", pointer, "was secret")
    if bool(new.get(PUBLIC)) is not bool(old.get(PUBLIC)):
        yield (
            ("secret-dropped", pointer, "is public now, whatever it is made of")
            if PUBLIC in new
            else ("secret-added", pointer, "was public, and is secret where it is made of what is")
        )
    extras = [holds_secret(schema.get("additionalProperties")) for schema in (old, new)]
    if extras[0] is not extras[1]:
        yield ("secret-added" if extras[1] else "secret-dropped"), pointer, "of members that are not named"


def _default(old: Schema, new: Schema, pointer: str) -> Iterator[Found]:
    if "default" in old and ("default" not in new or encode(old["default"]) != encode(new["default"])):
        now = _short(new["default"]) if "default" in new else "left out"
        yield "default-changed", pointer, f"left out, it was {_short(old['default'])} and is {now}"
    elif "default" in new and "default" not in old:
        yield "default-added", pointer, f"left out, it is {_short(new['default'])} now"


def given(old: Schema, new: Schema, types: Types, pointer: str = "") -> list[Found]:
    """Compare what is given: (rule, pointer, words) for each place that differs."""
    if encode(old) == encode(new):
        return []
    found = [*_marks(old, new, pointer), *_given_inside(old, new, types, pointer)]
    if encode(_bare(old)) == encode(_bare(new)):
        return found
    if types.fits(new, _opened(old)):
        told = [one for one in found if one[0] != "gives-less"]
        return told or [("gives-more", pointer, "gives fewer of the values that were possible")]
    if not any(rule == "gives-less" for rule, _, _ in found):
        found.append(("gives-less", pointer, _worded(old, new) or "gives values that were not possible"))
    return found


def _given_inside(old: Schema, new: Schema, types: Types, pointer: str) -> Iterator[Found]:
    if any(key in schema for key in ("const", "enum") for schema in (old, new)):
        return
    if _kinds(old) == _kinds(new) == {"array"}:
        yield from given(old.get("items", {}), new.get("items", {}), types, f"{pointer}/*")
    if not _kinds(old) == _kinds(new) == {"object"}:
        return
    before, after = old.get("properties", {}), new.get("properties", {})
    for key in sorted({*before, *after}):
        place = f"{pointer}/{_escaped(key)}"
        if key not in before:
            yield "gives-more", place, "is given too"
        elif key not in after:
            yield "gives-less", place, "is given no longer"
        else:
            if key in old.get("required", ()) and key not in new.get("required", ()):
                yield "gives-less", place, "is not always given any more"
            yield from given(before[key], after[key], types, place)


def _opened(schema: Schema) -> Schema:
    """Return a schema whose records may hold further members."""
    out = {key: value for key, value in schema.items() if key != "additionalProperties" or value is not False}
    if isinstance(out.get("items"), dict):
        out["items"] = _opened(out["items"])
    if "properties" in out:
        out["properties"] = {key: _opened(inner) for key, inner in out["properties"].items()}
    return out


def _bare(schema: Schema) -> Schema:
    """Return a schema without defaults and marks: that of values as they come, before anything is filled in."""
    out = {key: value for key, value in schema.items() if key not in ("default", SECRET, PUBLIC)}
    if "required" in out:
        out["required"] = _needed(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _bare(out[key])
    if "properties" in out:
        out["properties"] = {key: _bare(inner) for key, inner in out["properties"].items()}
    return out


def _needed(schema: Schema) -> list[str]:
    """Return the members that must be there; one with a default may be left out."""
    properties = schema.get("properties", {})
    return [key for key in schema.get("required", ()) if "default" not in properties.get(key, {})]


def _extra_of(schema: Schema) -> Schema | None:
    """Return what members that are not named may be, None where there may be none."""
    extra = schema.get("additionalProperties", True)
    return None if extra is False else _extra(schema)


def _extra(schema: Schema) -> Schema:
    extra = schema.get("additionalProperties", True)
    return extra if isinstance(extra, dict) else {}


def _kinds(schema: Schema) -> set[str]:
    named = schema.get("type", "any")
    return {named} if isinstance(named, str) else set(named)


def _worded(old: Schema, new: Schema) -> str:
    """Say which keywords differ, the values of both beside them."""
    inner = ("properties", "items", "additionalProperties", "required", "default")
    names = sorted(key for key in {*old, *new} if key not in inner and encode(old.get(key)) != encode(new.get(key)))
    return "; ".join(
        f"`{key}` was {_short(old[key]) if key in old else 'not there'}, "
        f"is {_short(new[key]) if key in new else 'not there'}"
        for key in names
    )


def _short(value: Any) -> str:
    text = encode(value).decode()
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}...`"


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
