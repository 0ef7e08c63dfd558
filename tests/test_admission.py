"""Admission, row by row: what is refused, with which reason and where, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from admitting import ANCHORED, DRAWN, IDENTITY, MESSAGE, accepted, in_form, judged, refused
from omnibachi_transport.admission import admit
from omnibachi_transport.reasons import REASONS

HERE = MESSAGE["payload"]
LONG = "x" * 128


@pytest.mark.parametrize(
    "data",
    [
        b"", b"  ", b"\xff", b"\xef\xbb\xbf{}", b"{", b"nul", b"[]", b'"x"', b"1", b"null", b'{"a":1,"a":1}',
        b'{"payload":{"a":1,"a":2}}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e400}',
        b'{"a":9007199254740992}', b'{"a":-9007199254740992}', b'{"a":0.000001}', b'{"a":1e15}{', b'{"a":1.5e16}',
        b'{"a":9007199254740992.0}', b'{"a":1}x', b'{"a":' + b"9" * 5000 + b"}", b"{'a':1}", b'{"a":01}', b'{"a":1,}',
        b'{"a":' * 32 + b"1" + b"}" * 31 + b"}x", b'{"a":' * 33 + b"1" + b"}" * 33, b"[" * 100_000,
        b'{"a":' * 50_000, b'{"a":"\t"}', "{}".encode("utf-16"), b'{"a":"\\x"}', b"{} // no",
    ],
)  # fmt: skip
def test_malformed_json(data: bytes) -> None:
    status, found = refused(data)
    assert (status, {code for code, _ in found}) == (400, {"admission.malformed_json"})


def test_every_odd_number_and_level_is_told_at_once() -> None:
    data = b'{"a":1e400,"b":[1,2e300],"c":9007199254740993,"d":' + b'{"e":' * 40 + b"1" + b"}" * 41
    assert refused(data) == (400, [
        ("admission.malformed_json", place) for place in ("/a", "/b/1", "/c", "/d" + "/e" * 31)
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (rb'{"a":"\ud800"}', ["/a"]),
        (rb'{"a":{"b":["x","\udc00\ud800"]}}', ["/a/b/1"]),
        (rb'{"a":"\u0000","b":"\u0000"}', ["/a", "/b"]),
        (rb'{"a":{"\ud800":1}}', ["/a"]),
        (rb'{"a":{"x\u0000":1}}', ["/a"]),
        (rb'{"\ud83d\ude00":1}', [""]),
    ],
)
def test_invalid_text(data: bytes, places: list[str]) -> None:
    assert refused(data) == (400, [("admission.invalid_text", place) for place in places])


def test_malformed_is_told_before_text_and_both_at_once() -> None:
    assert refused(rb'{"a":"\ud800","b":1e300}') == (400, [
        ("admission.malformed_json", "/b"), ("admission.invalid_text", "/a"),
    ])  # fmt: skip


def test_text_beyond_ascii_is_welcome() -> None:
    found = accepted(rb'{"intent_type":"chat.message","payload":{"message":"\ud83d\ude00 \u001f\u202e","\uffff":"z"}}')
    assert found.intent["payload"] == {"message": "😀 \x1f\u202e", "\uffff": "z"}


@pytest.mark.parametrize("version", [True, False, None, "3", "2", 2.0, 3.0, 1, 4, 0, -2, [], {}, [3], 2.5])
def test_unsupported_version(version: Any) -> None:
    body = {**in_form("v3", MESSAGE), "interface_version": version, "what": "ever"}
    assert refused(body) == (400, [("admission.unsupported_version", "/interface_version")])


@pytest.mark.parametrize("form", ["flat", "v2", "v3"])
def test_missing_fields(form: str) -> None:
    """What a form asks for, and each of it is told."""
    inner = "" if form == "flat" else "/payload"
    wanted = {"flat": ("intent_type", "payload"), "v3": ("intent_type", "payload"), "v2": tuple(ANCHORED)}[form]
    status, found = refused(in_form(form, {}))
    assert (status, sorted(found)) == (400, sorted(("admission.missing_field", f"{inner}/{name}") for name in wanted))
    for name in ANCHORED:
        body = in_form(form, {key: value for key, value in ANCHORED.items() if key != name})
        if name in wanted:
            assert refused(body) == (400, [("admission.missing_field", f"{inner}/{name}")])
        else:
            accepted(body)
    assert refused(in_form(form, {**ANCHORED, "payload": {}})) == (
        400, [("admission.missing_field", f"{inner}/payload/message")],
    )  # fmt: skip
    if form != "flat":
        assert refused({"interface_version": int(form[1])}) == (
            400, [("admission.missing_field", "/correlation_id"), ("admission.missing_field", "/payload")],
        )  # fmt: skip


BAD_NAMES = ("", " x", "x ", "\u00a0", "a\u00a0b", "a\nb", "x\u200b", "\u202ex", "\t", "\ue000", "\x7f", LONG + "x",
             None, True, 0, 1.5, [], {}, ["x"])  # fmt: skip
NAMED = ("stream_id", "lane", "actor", "intent_type", "thread_id", "turn_id", "correlation_id")


@pytest.mark.parametrize("form", ["flat", "v2", "v3"])
@pytest.mark.parametrize("name", [*NAMED, "parent_turn_id", "requested_model_id"])
def test_ids_and_actor(form: str, name: str) -> None:
    inner = "" if form == "flat" or name == "correlation_id" else "/payload"
    for bad in BAD_NAMES:
        body = in_form(form, {**ANCHORED, **({} if name == "correlation_id" else {name: bad})})
        if name == "correlation_id":
            body[name] = bad
        if bad is None and name not in NAMED:
            accepted(body)
        else:
            assert refused(body) == (400, [("admission.invalid_field", f"{inner}/{name}")]), bad
    for good in ("x", LONG, "ü", "a b", "a  b", "𝄞", "`$(rm)`", "../..", "t/1"):
        body = in_form(form, {**ANCHORED, **({} if name in ("correlation_id", "intent_type") else {name: good})})
        if name == "correlation_id":
            body[name] = good
        accepted(body)


@pytest.mark.parametrize(
    ("field", "bad", "places"),
    [
        ("payload", ["hello", [], None, 1, True], [""]),
        ("payload", [{"message": None}, {"message": 1}, {"message": ["x"]}, {"message": {}}], ["/message"]),
        ("payload", [{**HERE, "_envelope": {}}], ["/_envelope"]),
        ("payload", [{**HERE, "deep": [{"_x": {"_y": 1}}], "_": 1}], ["/deep/0/_x", "/_"]),
        ("inputs", [[], "x", 1, True], [""]),
        ("declared_tools", ["web", {}, 1, ["web"] * 21], [""]),
        ("declared_tools", [["Web"], [""], ["1"], [1], [None], ["a" * 65], ["a b"], ["a\n"], [["web"]]], ["/0"]),
        ("declared_tools", [["web", "A", "B"]], ["/1", "/2"]),
        ("tool_scope", ["Strict", "", 1, [], {}, True], [""]),
        ("budget", [[], "x", 1], [""]),
        ("budget", [{"max_tokens": bad} for bad in (0, 1_000_001, "1", None, 1.5, True)], ["/max_tokens"]),
        ("budget", [{"max_duration_ms": bad} for bad in (999, 300_001, -1, [], False)], ["/max_duration_ms"]),
        ("declared_refs", ["x", {}, 1, False], [""]),
    ],
)  # fmt: skip
def test_invalid_fields(field: str, bad: list[Any], places: list[str]) -> None:
    for value in bad:
        for form, inner in (("flat", ""), ("v2", "/payload"), ("v3", "/payload")):
            found = refused(in_form(form, {**ANCHORED, field: value}))
            wanted = [("admission.invalid_field", f"{inner}/{field}{place}") for place in places]
            assert (found[0], sorted(found[1])) == (400, sorted(wanted)), value


def test_bounds_are_inside() -> None:
    budget = {"max_tokens": 1_000_000, "max_duration_ms": 1_000.0}
    more = {"declared_tools": ["a" * 64] * 20, "tool_scope": "strict", "budget": budget, "requested_model_id": "m/1:2"}
    assert accepted({**MESSAGE, **more}).intent == {
        "payload": HERE, "form": "flat", **more, "budget": {"max_tokens": 1_000_000, "max_duration_ms": 1000},
    }  # fmt: skip
    nothing = dict.fromkeys(("requested_model_id", "inputs", "declared_tools", "tool_scope", "budget", "declared_refs"))
    assert accepted({**MESSAGE, **nothing}).intent == accepted(MESSAGE).intent


@pytest.mark.parametrize(
    ("body", "place", "said"),
    [
        ({**MESSAGE, "weather": "t"}, "/weather", "the fields are `stream_id`"),
        ({**MESSAGE, "threadid": "t"}, "/threadid", "the nearest is `thread_id`"),
        ({**MESSAGE, "Turn_Id": "t"}, "/Turn_Id", "the nearest is `turn_id`"),
        ({**MESSAGE, "identity": IDENTITY}, "/identity", "no field is called `identity`"),
        ({**MESSAGE, "budget": {"max_token": 1}}, "/budget/max_token", "the nearest is `max_tokens`"),
        (in_form("v3", {**MESSAGE, "correlation_id": "c"}), "/payload/correlation_id", "it stands beside `payload`"),
        ({**in_form("v2", ANCHORED), "turn_id": "u"}, "/turn_id", "it stands inside `payload`"),
        ({**in_form("v3", MESSAGE), "a/b~c": 1}, "/a~1b~0c", "no field is called `a/b~c`"),
        ({**MESSAGE, "x" * 101: 1}, "", "`" + "x" * 100 + "…`"),
        ({**MESSAGE, "a\x1b[31m`b": 1}, "/a\x1b[31m`b", "`a�[31m�b`"),
        ({**MESSAGE, "": 1}, "/", "no field is called ``"),
    ],
)  # fmt: skip
def test_unknown_fields(body: Any, place: str, said: str) -> None:
    assert refused(body) == (400, [("admission.unknown_field", place)])
    assert said in judged(body)[1]["detail"]


def test_unknown_keys_of_a_message_are_evidence() -> None:
    payload = {"message": "", "mood": {"x_": [1.5, None, {"y": True}]}, "actor": "me", "budget": -1, "number": 5.0}
    found = accepted({**MESSAGE, "payload": payload}).intent["payload"]
    assert found == {**payload, "number": 5} and type(found["number"]) is int


def test_all_findings_of_the_shape_stand_in_one_answer_and_none_of_what_follows() -> None:
    body = {**MESSAGE, "lane": "", "actor": 1, "what": 1, "payload": {"_": 1, "token": "x"}, "declared_refs": [1]}
    assert refused(body) == (400, [
        ("admission.missing_field", "/payload/message"), ("admission.invalid_field", "/lane"),
        ("admission.invalid_field", "/actor"), ("admission.invalid_field", "/payload/_"),
        ("admission.unknown_field", "/what"),
    ])  # fmt: skip


def test_all_findings_of_the_meaning_stand_in_one_answer() -> None:
    body = {
        "intent_type": "chat.mesage", "payload": {"secret": "x", "message": "y"}, "turn_id": "t", "parent_turn_id": "t",
        "inputs": {"capability": [0.5, {"x": 1.0}], "capabilty": "chat", "risk_tier": 3}, "declared_refs": ["r"],
    }  # fmt: skip
    assert refused(body) == (400, [
        ("admission.intent_type_unknown", "/intent_type"), ("admission.invalid_parent", "/parent_turn_id"),
        ("admission.invalid_input", "/inputs/capability/0"), ("admission.invalid_input", "/inputs/capability/1/x"),
        ("admission.invalid_input", "/inputs/capabilty"), ("admission.refs_unsupported", "/declared_refs"),
        ("admission.secrets_present", "/payload/secret"),
    ])  # fmt: skip
    told = judged(body)[1]["errors"]
    assert "nearest is `chat.message`" in told[0]["detail"] and "nearest is `capability`" in told[4]["detail"]


def test_types_are_those_that_are_declared() -> None:
    lists = {"type": "array", "items": {"type": "integer"}}
    other = {"note.keep": {"type": "object", "properties": {"n": {"type": "integer"}, "l": lists}, "required": ["n"]}}

    def judge(body: bytes) -> Any:
        return admit(body, None, IDENTITY, draw=lambda: DRAWN, intent_types=other)

    good, bad, unknown = (
        judge(body) for body in (b'{"intent_type":"note.keep","payload":{"n":1}}',
                                 b'{"intent_type":"note.keep","payload":{"n":"1"}}',
                                 b'{"intent_type":"chat.message","payload":{"message":""}}')
    )  # fmt: skip
    assert good.anchors["intent_type"] == "note.keep"
    assert [(item.reason_code, item.pointer) for item in bad] == [("admission.invalid_field", "/payload/n")]
    assert [item.reason_code for item in unknown] == ["admission.intent_type_unknown"]
    long = judge(b'{"intent_type":"note.keep","payload":{"n":1,"l":[' + b"1," * 5000 + b'"x"]}}')
    assert [(item.reason_code, item.pointer) for item in long] == [("admission.invalid_field", "/payload")]


def test_a_turn_is_not_its_own_parent_however_it_is_named() -> None:
    assert refused({**MESSAGE, "correlation_id": "c", "parent_turn_id": "c"})[1] == [
        ("admission.invalid_parent", "/parent_turn_id")
    ]
    assert refused(in_form("v3", {**MESSAGE, "parent_turn_id": "c"}))[1] == [
        ("admission.invalid_parent", "/payload/parent_turn_id")
    ]
    accepted(in_form("v3", {**MESSAGE, "turn_id": "u", "parent_turn_id": "c"}))


@pytest.mark.parametrize("media", [None, "application/json", "Application/JSON ; charset=utf-8", "application/json;x"])
def test_media_types(media: str | None) -> None:
    accepted(MESSAGE, media_type=media)


@pytest.mark.parametrize(
    "media",
    ["", "text/plain", "application/jsonp", "json", "application/json, text/plain", "multipart/form-data",
     "application/x-www-form-urlencoded", "application/problem+json"],
)  # fmt: skip
def test_other_media_types(media: str) -> None:
    assert refused(MESSAGE, media_type=media) == (415, [("transport.media_type", "")])
    assert refused(b"nothing", media_type=media)[0] == 415


def test_sizes() -> None:
    body = b'{"intent_type":"chat.message","payload":{"message":"%b","more":"%b"}}'
    accepted(body % (b"x" * 65_536, b"y" * 190_000))
    whole = b'{"intent_type":"chat.message","payload":{"message":"%b"}}'
    assert refused(whole % (b"x" * 65_537)) == (413, [("transport.too_large", "/payload/message")])
    assert refused(whole % ("ü" * 32_769).encode()) == (413, [("transport.too_large", "/payload/message")])
    assert refused(body % (b"x", b"y" * 270_000)) == (413, [("transport.too_large", "")])
    assert refused(b" " * 262_145, media_type="text/plain")[1][0] == ("transport.too_large", "")
    assert refused(b" " * 262_144)[1] == [("admission.malformed_json", "")]


def test_each_reason_has_a_status_and_a_code_of_its_own() -> None:
    assert len({code for _, code in REASONS.values()}) == len(REASONS)
    assert all(400 <= status < 600 and "OB900" <= code <= "OB959" for status, code in REASONS.values())
