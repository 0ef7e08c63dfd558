"""Named secrets: the value reaches the function and nothing else, whatever goes wrong."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibachi import RunResult, Workspace, verify
from omnibachi import examine as examine_record
from omnibachi import replay as replay_record
from omnibachi.__main__ import main
from omnibachi.engine import Engine
from omnibachi_model.digests import decode
from omnibachi_model.named_secrets import needed, shown

VALUE = 'tök"en/+?4711~'
KEPT = "shop::WF_ASK_V0"
DECLARED = """
intent: IN_ASK_V0
payload: {type: object, properties: {way: {type: string}, more: {default: null}}, required: [way]}
---
side_effect: CS_DOOR_V0
summary: Knock with a key.
operations:
  KNOCK:
    effect: EXTERNAL
    repeat: key
    inputs:
      way: {type: string}
      key: {type: string}
      deep: {type: object, additionalProperties: {type: array, items: {}}}
      short: {type: string, maxLength: 14, optional: true}
      more: {}
    outcomes: {SUCCESS: {said: {}}, BACKEND_ERROR: {}}
---
workflow: WF_ASK_V0
summary: Knock.
intent: IN_ASK_V0
start: ask
fault: failed
nodes:
  ask:
    use: CS_DOOR_V0.KNOCK
    with:
      way: $.payload.way
      key: {$secret: DOOR_KEY}
      deep: {list: [1, {$secret: DOOR_PIN}]}
      short: {$secret: DOOR_KEY}
      more: $.payload.more
    retry: {on: [BACKEND_ERROR], max: 1}
    next: {SUCCESS: done, BACKEND_ERROR: failed, OUTCOME_UNKNOWN: failed}
exits:
  done: {status: COMPLETED, result: {said: $.nodes.ask.said}}
  failed: {status: FAILED}
"""
SCENARIO = """
test: what leaves is not asked, and its secrets are not looked up
workflow: WF_ASK_V0
given: {answers: {ask: {outcome: SUCCESS, output: {said: what a trial says}}}}
steps:
  - payload: {way: plain}
    expect: {exit: done, result: {said: what a trial says}}
---
test: unplayed it crashes
workflow: WF_ASK_V0
steps:
  - payload: {way: plain}
    expect: {exit: failed}
"""
CODE = '''"""A door that tells in many ways what it was given."""

import base64
import json


def knock(inputs, store, call):
    """Answer as asked."""
    key, way = inputs["key"], inputs["way"]
    ways = {
        "plain": lambda: key,
        "inside": lambda: {"a": [f"x{key}y"]},
        "member": lambda: {key: 1},
        "json": lambda: json.dumps({"key": key}),
        "escaped": lambda: json.dumps(key, ensure_ascii=False),
        "base64": lambda: base64.b64encode(f"user:{key}".encode()).decode(),
        "url64": lambda: base64.urlsafe_b64encode(f"u{key}!".encode()).decode(),
        "pin": lambda: inputs["deep"]["list"][1] + "!",
        "nothing": lambda: "fine",
        "seen": lambda: [type(key).__name__, len(key), inputs["deep"]["list"][0], inputs["more"]],
    }
    if way == "raise":
        raise ValueError("no such key: " + key)
    if way == "fail":
        raise RuntimeError("the door is stuck")
    if way == "type":
        raise type(key, (Exception,), {})("x")
    if way == "outcome":
        return key, {}
    if way == "misfit":
        return "SUCCESS", {key: 1}
    if way == "unencodable":
        return "SUCCESS", {"said": {1: key}}
    if way == "again":
        return "BACKEND_ERROR", {}
    return "SUCCESS", {"said": ways[way]()}
'''
SHOWING = ("plain", "inside", "member", "json", "escaped", "base64", "url64", "pin", "raise", "type", "outcome",
           "misfit", "unencodable")  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("shop")
    for name, text in {
        "protocols/shop/domain.yaml": "domain: shop\n",
        "protocols/shop/ask.yaml": DECLARED,
        "protocols/shop/ask.test.yaml": SCENARIO,
        "capabilities/shop_doors/__init__.py": '"""Doors."""\n',
        "capabilities/shop_doors/door.py": CODE,
        "capabilities/shop_doors/catalogue.py": (
            '"""Doors."""\n\nfrom .door import knock\n\nCATALOGUE = {"shop::CS_DOOR_V0.KNOCK": knock}\n'
        ),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    found = Workspace(folder)
    compiled = found.compile()
    assert compiled.ok, [item.message for item in compiled.diagnostics]
    return found


def asked(
    shop: Workspace, way: str, folder: Path, secrets: dict[str, str] | None = None, more: Any = None
) -> RunResult:
    values = {"DOOR_KEY": VALUE, "DOOR_PIN": "246810"} if secrets is None else secrets
    with Engine(shop.load(), shop.capabilities, str(folder / "data"), secrets=values.get) as engine:
        return engine.run(KEPT, {"way": way, "more": more}, trace_id=f"T-{way}")


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def forms(value: str) -> Iterator[bytes]:
    yield from (value.encode(), json.dumps(value)[1:-1].encode(), value.encode().hex().encode())
    yield base64.b64encode(value.encode()).rstrip(b"=")[:-1]


def test_the_value_reaches_the_function_and_the_name_the_record(shop: Workspace, tmp_path: Path) -> None:
    found = asked(shop, "seen", tmp_path)
    assert (found.exit, found.result) == ("done", {"said": ["str", len(VALUE), 1, None]})
    called = [decode(line)["body"] for line in found.record.splitlines() if b'"CALLED"' in line]
    assert called[0]["inputs"]["key"] == {"$secret": "DOOR_KEY"}
    assert called[0]["inputs"]["deep"] == {"list": [1, {"$secret": "DOOR_PIN"}]}
    assert not any(form in everything(tmp_path) for form in forms(VALUE))
    assert verify(found.record).verdict == "INTACT"
    assert replay_record(found.record, shop.load()).same
    assert "DOOR_KEY" in json.dumps(examine_record(found.record).as_json())


@pytest.mark.parametrize("way", SHOWING)
def test_an_answer_that_shows_a_secret_is_refused(shop: Workspace, way: str, tmp_path: Path) -> None:
    found = asked(shop, way, tmp_path)
    assert (found.exit, [item.code for item in found.diagnostics]) == ("failed", ["OB728"])
    told = everything(tmp_path) + repr([(item.message, item.help) for item in found.diagnostics]).encode()
    assert not any(form in told for value in (VALUE, "246810") for form in forms(value))
    assert replay_record(found.record, shop.load()).same


def test_what_a_call_with_secrets_raised_is_not_told(shop: Workspace, tmp_path: Path) -> None:
    (found,) = asked(shop, "fail", tmp_path).diagnostics
    assert found.code == "OB702"
    assert "RuntimeError" in found.message and "stuck" not in found.message
    assert "door.py" in found.message


NO_UTF8 = os.fsdecode(b"caf\xe9-4711")


@pytest.mark.parametrize("key", [{}, {"DOOR_KEY": ""}, {"DOOR_KEY": NO_UTF8}])
def test_without_the_secret_nothing_is_asked(shop: Workspace, tmp_path: Path, key: dict[str, str]) -> None:
    found = asked(shop, "fail", tmp_path, {"DOOR_PIN": "246810", **key})
    (told,) = found.diagnostics
    assert (found.exit, told.code) == ("failed", "OB727")
    assert "`DOOR_KEY`" in told.message
    assert "DOOR_KEY" in json.dumps(examine_record(found.record, snapshot=shop.load()).as_json())


def test_a_secret_that_does_not_fit_is_told_without_its_text(shop: Workspace, tmp_path: Path) -> None:
    (told,) = asked(shop, "seen", tmp_path, {"DOOR_KEY": VALUE * 2, "DOOR_PIN": "246810"}).diagnostics
    assert (told.code, VALUE in told.message, "/short" in told.message) == ("OB704", False, True)


def test_a_payload_names_no_secret(shop: Workspace, tmp_path: Path) -> None:
    found = asked(shop, "seen", tmp_path, more={"$secret": "DOOR_PIN"})
    assert found.result["said"][3] == {"$secret": "DOOR_PIN"}


def test_each_attempt_gets_it(shop: Workspace, tmp_path: Path) -> None:
    asked_for: list[str] = []

    def secrets(name: str) -> str:
        asked_for.append(name)
        return VALUE

    with Engine(shop.load(), shop.capabilities, str(tmp_path / "data"), secrets=secrets) as engine:
        assert engine.run(KEPT, {"way": "again"}).exit == "failed"
    assert sorted(asked_for) == ["DOOR_KEY"] * 4 + ["DOOR_PIN"] * 2


def test_scenarios_need_none(
    shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOOR_KEY", raising=False)
    assert main(["test", "--workspace", str(shop.root), "--json"]) == 0
    assert [item["ok"] for item in json.loads(capsys.readouterr().out)["scenarios"]] == [True, True]


def test_what_is_told_where(
    shop: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--workspace", str(shop.root)]
    assert main(["show", KEPT, *words]) == 0
    said = capsys.readouterr().out
    assert "DOOR_KEY  for ask" in said and "DOOR_PIN  for ask" in said
    assert main(["docs", "--workspace", str(shop.root), "--output", str(tmp_path / "site")]) == 0
    pages = everything(tmp_path / "site")
    assert b"$secret: DOOR_KEY" in pages and b"Needs the secrets" in pages
    monkeypatch.setenv("DOOR_KEY", VALUE)
    monkeypatch.setenv("DOOR_PIN", "246810")
    capsys.readouterr()
    run = [
        "run",
        "--wf",
        KEPT,
        "--set",
        "way=raise",
        "--data-root",
        str(tmp_path / "d"),
        "--trace-id",
        "T-told",
        *words,
    ]
    assert main([*run, "--json"]) == 1
    told = capsys.readouterr()
    assert VALUE not in told.out + told.err and json.dumps(VALUE)[1:-1] not in told.out and "OB728" in told.out
    left = everything(Path(shop.root) / "traces") + everything(tmp_path / "d")
    assert not any(form in left for value in (VALUE, "246810") for form in forms(value))


def test_which_secrets_a_workflow_needs(shop: Workspace) -> None:
    sealed = json.loads((Path(shop.root) / "protocol_snapshot/shop/WF_ASK_V0.json").read_bytes())
    assert needed(sealed) == {"DOOR_KEY": ["ask"], "DOOR_PIN": ["ask"]}


ENCODERS: list[Callable[[str], str]] = [
    str, json.dumps, lambda text: json.dumps(text, ensure_ascii=False), lambda text: text.encode().hex(),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
]  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=6), st.text("abc"), st.sampled_from(ENCODERS))
def test_no_encoding_hides_it(secret: str, around: str, encode: Callable[[str], str]) -> None:
    value: Any = encode(around + secret + around[::-1])
    assert shown(value, [secret])
    assert shown({"a": [{value: None}]}, [secret])
    assert shown([(1, value)], ["Bearer short", secret])


def test_short_ones_and_their_schemes_are_no_finding() -> None:
    assert not shown({"a": "Bearer of news, abcde"}, ["abcde", "Bearer tok-123456"])
    assert shown({"a": "tok-123456"}, ["Bearer tok-123456"])


def test_the_end_of_a_line_in_a_variable_hides_nothing() -> None:
    assert shown({"a": "x tok-123456"}, ["tok-123456\n"]) and shown({"a": "tok-123456"}, ["Bearer tok-123456\r\n"])
    assert not shown({"a": "\n"}, ["     \n\t"])
