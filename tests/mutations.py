"""Mutations: how texts, bytes and JSON are spoilt for fuzzing, by a random generator whose seed names the case."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

TOKEN = re.compile(r"[\w$.:]+|[^\w\s]")
# What YAML, JSON, templates, expressions, patterns and addresses may stumble over.
NASTY = (
    "&a", "*a", "&a [*a]", "!!python/object:os.system", "!!binary", "<<: *a", "? ", "? a", "| ", ">-\n  x", "---",
    "...", "%YAML 1.1", "%TAG ! x", "\t", "\x00", "\ufeff", "\u2028", "\x85", "\ud7ff", "\U0001f600", "~", "null",
    "true", "NO", "010", "0x1F", "1e999", "-0", "1_000", ".inf", ".nan", "2026-01-01", "9007199254740992",
    "-9007199254740993", "1e-9", "9" * 400, "'", '"', "'\\ud800'", "''", "{", "}", "[", "]", "{}", "[]",
    "{a: {a: {a: 1}}}", ":", ": ", "- ", ",", "#", " #", "@", "`", "\\", "$.", "$..a", "$.payload", "$.nodes",
    "$.nodes.x", "$.run.id", "$[", "$['a", "{$first: []}", "{$first: $.payload}", "{$literal: 1}", "{$secret: A}",
    "{$nope: 1}", "$$", "{type: object}", "{$ref: '#/$defs/a'}", "{$defs: {a: {$ref: '#/$defs/a'}}}", "(a+)+$",
    "(a|a)*b", "[", "\\p{L}", "(?=a)", "a{9999}", "{pattern: '(x*)*y', maxLength: 99999999}", "((((((((((", "1 +",
    "a.b.c.d", "x in [1, 2", "1 / 0", "!" * 500, "-" * 500, "has(a)", "'\\U00110000'", "a ? b : c", "std::", "::",
    "std::CS_RECORDS_V0.", "CT_X_V99999999999", "WF_", "shop::CT_PRICE_V0", "FAULT", "rejected", "SUCCESS",
    "x" * 5000, "é" * 300, "\r", "\r\n", "\x7f", "\x1b[31m",
)  # fmt: skip


def bytes_mutated(data: bytes, random: Random) -> bytes:
    """Return bytes that differ in a few places."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        place = random.randrange(len(out) + 1)
        what = random.randrange(6)
        if what == 0 and place < len(out):
            out[place] ^= 1 << random.randrange(8)
        elif what == 1 and place < len(out):
            out[place] = random.randrange(256)
        elif what == 2:
            del out[place : place + random.choice((1, 2, 20, 1000))]
        elif what == 3:
            out[place:place] = bytes(random.randrange(256) for _ in range(random.choice((1, 4))))
        elif what == 4:
            out[place:place] = random.choice(NASTY).encode("utf-8", "surrogatepass")
        else:
            start = random.randrange(len(out) + 1)
            out[place:place] = out[start : start + random.choice((1, 20, 400))]
    return bytes(out)


def text_mutated(text: str, random: Random) -> bytes:
    """Return a text whose lines, indents or tokens were changed, or its bytes."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        text = random.choice(TEXTUAL)(text, random)
    data = text.encode("utf-8", "surrogatepass")
    return bytes_mutated(data, random) if random.randrange(8) == 0 else data


def _line_gone(text: str, random: Random) -> str:
    lines = text.split("\n")
    del lines[random.randrange(len(lines))]
    return "\n".join(lines)


def _line_again(text: str, random: Random) -> str:
    lines = text.split("\n")
    lines.insert(random.randrange(len(lines)), random.choice(lines))
    return "\n".join(lines)


def _lines_swapped(text: str, random: Random) -> str:
    lines = text.split("\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def _indented(text: str, random: Random) -> str:
    lines = text.split("\n")
    place = random.randrange(len(lines))
    lines[place] = random.choice((" ", "  ", "\t", "    ")) + lines[place] if random.randrange(2) else lines[place][1:]
    return "\n".join(lines)


def _token(text: str, random: Random) -> tuple[int, int]:
    found = [match.span() for match in TOKEN.finditer(text)]
    return random.choice(found) if found else (0, 0)


def _tokens_swapped(text: str, random: Random) -> str:
    start, end = _token(text, random)
    other, last = _token(text, random)
    return text[:start] + text[other:last] + text[end:]


def _token_gone(text: str, random: Random) -> str:
    start, end = _token(text, random)
    return text[:start] + text[end:]


def _token_nasty(text: str, random: Random) -> str:
    start, end = _token(text, random)
    return text[:start] + random.choice(NASTY) + text[end:]


def _nasty_before(text: str, random: Random) -> str:
    start, _ = _token(text, random)
    return text[:start] + random.choice(NASTY) + random.choice(("", " ")) + text[start:]


TEXTUAL = (
    _line_gone, _line_again, _lines_swapped, _indented, _tokens_swapped, _tokens_swapped, _token_gone, _token_nasty,
    _token_nasty, _nasty_before,
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1, 7, 2**53, -(2**60), 1.5, 1e300, "", "x", "FAULT", "SUCCESS", "sha256:" + "0" * 64,
    "\ud800", "../../etc/passwd", "/", "\x00", [], {}, [[]], {"": {}}, ["lit"], ["lit", 1], ["ref", 0, []],
    ["ref", "payload", [-1]], ["ref", 99, ["a"]], ["map", []], ["first", []], ["name", "x"],
    ["get", ["name", "x"], 3], ["nope"], {"type": "nope"}, {"type": ["string"]}, {"pattern": "("}, {"enum": []},
    {"format": "nope"}, {"minimum": "1"}, {"properties": 1}, {"kind": "CALLED"}, {"kind": "EXIT"}, "x" * 3000,
)  # fmt: skip


def json_mutated(value: Any, random: Random) -> Any:
    """Return a JSON value in which one member or item is another, gone, there twice, or at another place."""
    copy = json.loads(json.dumps(value))
    places: list[tuple[Any, Any]] = []
    waiting = [copy]
    while waiting:
        item = waiting.pop()
        inner = list(item.items()) if isinstance(item, dict) else list(enumerate(item))
        for key, below in inner:
            places.append((item, key))
            if isinstance(below, dict | list) and below:
                waiting.append(below)
    if not places:
        return random.choice(VALUES)
    for _ in range(random.choice((1, 1, 2))):
        owner, key = random.choice(places)
        other, place = random.choice(places)
        what = random.randrange(5)
        if not (key in owner if isinstance(owner, dict) else key < len(owner)):
            continue
        if what == 0:
            del owner[key]
        elif what == 1 and (place in other if isinstance(other, dict) else place < len(other)):
            owner[key] = json.loads(json.dumps(other[place]))
        elif what == 2 and isinstance(owner, list):
            owner.insert(0, owner[key])
        elif what == 2:
            owner[random.choice(("", "x", "é", "__class__"))] = owner.pop(key)
        else:
            owner[key] = random.choice(VALUES)
    return copy
