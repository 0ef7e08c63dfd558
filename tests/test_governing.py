"""The gateway in process: refused, failed and worked are told apart by the record alone, each story once, and the key
nowhere."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from governing import IDENTITY, LEDGER, ROOT, anchors, events, gateway, post, stories
from model_house import ModelHouse
from omnibachi import Refused, Workspace, wiring
from omnibachi.governing import GOVERN
from omnibachi_model.decisions import PROVIDER_ERRORS
from omnibachi_model.digests import digest_of
from omnibachi_model.providers import NO_ACCESS, PROVIDERS, SECRET, access_text, read_access
from postgres_server import Server

KEY = "k3y-0f-the-gateway-93c1"
ALLOWED, DENIED = ["INTENT", "DECISION ALLOW", "EXECUTION ok"], ["INTENT", "DECISION DENY"]


@pytest.fixture(name="house")
def open_house() -> Iterator[ModelHouse]:
    with ModelHouse() as house:
        yield house


def test_worked_failed_refused(tmp_path: Path) -> None:
    with gateway(tmp_path, policy="demo") as door:
        worked, failed, refused = post(door, "a"), post(door, "b", ""), post(door, "c", "x" * 400)
    assert [(item.index, item.state, item.replayed, item.refused) for item in (worked, failed, refused)] == [
        (0, "EXECUTED", False, None), (3, "EXECUTED", False, None), (6, "DENIED", False, None),
    ]  # fmt: skip
    assert stories(tmp_path) == {
        "a": ALLOWED, "b": ["INTENT", "DECISION ALLOW", "EXECUTION invalid_request_error"], "c": DENIED,
    }  # fmt: skip
    told = events(tmp_path)
    assert told[2]["payload"]["output_text"] == "echo: hello" and "error" not in told[2]["payload"]
    assert told[7]["payload"]["reason_codes"] == ["policy.message_too_long"]
    assert told[1]["payload"]["snapshot"] == told[7]["payload"]["snapshot"] == Workspace(ROOT).load().seal


def test_twice_is_once_and_another_request_is_refused(tmp_path: Path) -> None:
    with gateway(tmp_path) as door:
        post(door, "a")
        again = post(door, "a", intent={"form": "v3"})
        other, orphan = post(door, "a", "other"), post(door, "c", parent_turn_id="nobody")
        turn = post(door, "b", thread_id="a", turn_id="a")
        child = post(door, "d", thread_id="a", parent_turn_id="a")
    assert (again.index, again.state, again.replayed) == (0, "EXECUTED", True)
    assert [item.refused for item in (other, turn, orphan)] == [
        "admission.correlation_conflict", "admission.turn_conflict", "admission.invalid_parent",
    ]  # fmt: skip
    assert (child.index, child.state) == (3, "EXECUTED")
    assert stories(tmp_path) == {"a": ALLOWED, "d": ALLOWED}


def test_what_is_no_intent_leaves_no_event(tmp_path: Path) -> None:
    with gateway(tmp_path) as door:
        found = [post(door, "a", lane=""), post(door, "a", intent={"budget": {"max_tokens": 0}}), post(door, "a", x=1)]
        crashed = post(door, "a", intent={"payload": {"message": "hello", "_envelope": {}}})
    assert {item.refused for item in found} == {"admission.invalid_field"}
    assert (crashed.run.exit, crashed.refused, crashed.state) == ("failed", "store.unavailable", None)
    with wiring.open_root(str(tmp_path)) as ledger:
        assert ledger.decisions(LEDGER).head()["length"] == 0


@pytest.mark.parametrize(("policy", "calls"), [("allow_all", 3), ("deny_all", 0), ("demo", 2)])
def test_no_call_without_allow(tmp_path: Path, house: ModelHouse, policy: str, calls: int) -> None:
    with gateway(tmp_path, policy=policy, provider="openai", model="m", provider_url=house.base) as door:
        for correlation, message in (("a", "hello"), ("b", "x" * 400), ("c", "hello"), ("a", "hello"), ("d", " ")):
            post(door, correlation, message)
    assert len(house.asked) == calls
    found = events(tmp_path)
    released = [event["payload"]["release_digest"] for event in found if event["kind"] == "EXECUTION"]
    assert len([item for item in released if item]) == calls


@pytest.mark.parametrize("model", ["small", "status-401", "echo", "spell", "cut", "stall"])
@pytest.mark.parametrize("provider", ["openai", "ollama"])
def test_the_key_is_nowhere_but_on_the_way(
    tmp_path: Path, house: ModelHouse, monkeypatch: pytest.MonkeyPatch, provider: str, model: str
) -> None:
    monkeypatch.setenv("HOUSE_KEY", KEY)
    with gateway(
        tmp_path, provider=provider, model=model, provider_url=house.base, api_key_env="HOUSE_KEY",
        budget={"max_duration_ms": 1000},
    ) as door:  # fmt: skip
        found = post(door, "a")
    assert house.asked[0].headers["authorization"] == f"Bearer {KEY}" and len(house.asked) == 1
    with wiring.open_root(str(tmp_path), reading=True) as ledger:
        record = ledger.record(str(found.run.trace_id)) or b""
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file())
    shown = json.dumps(events(tmp_path)).encode() + record + repr(found.run).encode() + repr(door.boundary).encode()
    for form in (KEY.encode(), KEY.encode().hex().encode()):
        assert form not in kept and form not in shown
    assert house.base.encode() not in kept and SECRET.encode() in record
    assert found.state == "EXECUTED"


def test_the_budget_of_an_intent_binds_and_never_widens(tmp_path: Path, house: ModelHouse) -> None:
    more = {"provider": "openai", "model": "m", "provider_url": house.base, "budget": {"max_tokens": 50}}
    with gateway(tmp_path, **more) as door:
        post(door, "a", intent={"budget": {"max_tokens": 5}, "requested_model_id": "other"})
        post(door, "b", intent={"budget": {"max_tokens": 500}})
    asked = [json.loads(item.body) for item in house.asked]
    assert [(item["model"], item["max_tokens"]) for item in asked] == [("other", 5), ("m", 50)]


def test_many_doors_at_once_tell_one_story_and_ask_once(tmp_path: Path, house: ModelHouse) -> None:
    with gateway(tmp_path) as door:
        post(door, "first")
    answers: list[Any] = []

    def ask(number: int) -> None:
        more = {"provider": "openai", "model": "m", "provider_url": house.base}
        with gateway(tmp_path, **more) as door:
            answers.extend((post(door, "same"), post(door, f"own{number}")))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = stories(tmp_path)
    assert set(told) == {"first", "same", *(f"own{number}" for number in range(6))}
    assert all(story == ALLOWED for story in told.values()) and len(house.asked) == 7
    same = [item for item in answers if item.run.exit in ("executed", "replayed") and item.index is not None]
    assert len(same) == 12 and sum(item.replayed for item in same) == 5


def test_a_ledger_that_does_not_hold_takes_nothing_and_nothing_leaves(tmp_path: Path, house: ModelHouse) -> None:
    more = {"provider": "openai", "model": "m", "provider_url": house.base}
    with gateway(tmp_path, **more) as door:
        post(door, "a")
    with sqlite3.connect(tmp_path / "store.db") as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE decisions SET actor='nobody' WHERE position=0")
    db.close()
    with gateway(tmp_path, **more) as door:
        found = post(door, "b")
    assert (found.refused, found.index, found.state, len(house.asked)) == ("store.unavailable", None, None, 1)
    assert [item.code for item in found.run.diagnostics] == ["OB820"]


def test_on_a_server_too(house: ModelHouse, postgres: Server) -> None:
    root = postgres.root()
    with gateway(root, policy="demo", provider="ollama", model="m", provider_url=house.base) as door:
        states = [post(door, *given).state for given in (("a",), ("b", "x" * 400), ("c", " "), ("a",))]
        assert door.recover() == []
    assert states == ["EXECUTED", "DENIED", "EXECUTED", "EXECUTED"] and len(house.asked) == 1
    assert stories(root) == {"a": ALLOWED, "b": DENIED, "c": [*ALLOWED[:2], "EXECUTION invalid_request_error"]}


@pytest.mark.parametrize("access", ["none", "house", ""])
def test_the_workflow_by_hand(tmp_path: Path, house: ModelHouse, monkeypatch: pytest.MonkeyPatch, access: str) -> None:
    """Without the secret the call is a crash of the gateway's own, and recorded."""
    found = {"none": NO_ACCESS, "house": access_text("ollama", house.base)}.get(access)
    monkeypatch.delenv(SECRET, raising=False)
    if found is not None:
        monkeypatch.setenv(SECRET, found)
    with gateway(None, provider="ollama", model="m") as door:
        boundary = door.boundary
    payload = {
        "anchors": anchors("a"), "intent": {"payload": {"message": "hello"}, "form": "flat"}, "identity": IDENTITY,
        "boundary": boundary,
    }  # fmt: skip
    with Workspace(ROOT).engine(tmp_path / "data") as engine:
        result = engine.run(GOVERN, payload)
    assert result.exit == "executed"
    code = {"none": "permission_error", "house": "ok", "": "internal_error"}[access]
    assert stories(tmp_path / "data") == {"a": [*ALLOWED[:2], f"EXECUTION {code}"]}
    assert [item.code for item in result.diagnostics] == ([] if found else ["OB727"])


def test_what_somebody_works_on_is_left_alone(tmp_path: Path, house: ModelHouse) -> None:
    more = {"provider": "openai", "model": "stall", "provider_url": house.base, "budget": {"max_duration_ms": 1500}}

    def ask() -> None:
        with gateway(tmp_path, **more) as door:
            post(door, "a")

    thread = threading.Thread(target=ask)
    thread.start()
    while not house.asked:
        thread.join(0.01)
    with gateway(tmp_path, **more) as door:
        assert door.recover() == [] and door.sweep() == []
        again = post(door, "a")
    assert (again.replayed, again.state) == (True, "ALLOWED")
    thread.join()
    assert stories(tmp_path) == {"a": [*ALLOWED[:2], "EXECUTION timeout"]} and len(house.asked) == 1


def test_two_ledgers_that_hear_the_same_have_equal_heads(tmp_path: Path, house: ModelHouse) -> None:
    heads, ends = set(), set()
    for name, model in (("a", "small"), ("b", "small")):
        more = {"policy": "demo", "provider": "openai", "model": model, "provider_url": house.base}
        with gateway(tmp_path / name, **more) as door:
            for number, message in enumerate(("hello", "x" * 400, "", "bye")):
                post(door, f"c{number}", message)
        with wiring.open_root(str(tmp_path / name), reading=True) as ledger:
            head = ledger.decisions(LEDGER).head()
        heads.add(head["normative_head"])
        ends.add(head["v_digest"])
    assert len(heads) == 1 and len(ends) == 2


def test_what_the_provider_says_does_not_steer(tmp_path: Path, house: ModelHouse) -> None:
    """Change what is said in the middle; the decisions after it are the same, byte for byte."""
    told = []
    for name, asked in (("a", "small"), ("b", "status-500"), ("c", "garbage")):
        more = {"policy": "demo", "provider": "openai", "model": "fixed", "provider_url": house.base}
        with gateway(tmp_path / name, **more) as door:
            post(door, "first", intent={"requested_model_id": asked})
            post(door, "second")
            post(door, "third", "x" * 400)
        found = [event for event in events(tmp_path / name) if event["kind"] == "DECISION"][1:]
        told.append([digest_of(event["payload"]) for event in found])
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ({"provider": "opnai"}, "OB860", "no provider is called `opnai`"),
        ({"provider": "openai"}, "OB861", "the provider `openai` is asked for no model"),
        ({"provider": "openai", "model": "m", "provider_url": "ftp://x"}, "OB862", "the url is none"),
        ({"provider": "openai", "model": "m", "api_key_env": "NOT_THERE_AT_ALL"}, "OB862", "`NOT_THERE_AT_ALL`"),
        ({"provider_url": "https://example.org"}, "OB862", "it stands nowhere"),
        ({"provider": "openai", "model": "m", "provider_url": "http://a.example.org", "api_key_env": "HOUSE_KEY"},
         "OB862", "over https"),
        ({"policy": "dmo"}, "OB843", "no policy is called `dmo`"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], code: str, says: str) -> None:
    monkeypatch.setenv("HOUSE_KEY", KEY)
    with pytest.raises(Refused) as caught:
        gateway(None, **given)
    (found,) = caught.value.diagnostics
    assert found.code == code and says in found.message and KEY not in repr(found)


def test_the_page_says_what_is_so() -> None:
    page = (ROOT / "docs" / "boundary.md").read_text("utf-8")
    (access,) = re.findall(r"\$ export DBL_PROVIDER='(.*)'", page)
    found = read_access(access)
    assert found is not None and (found.provider, found.url) == ("ollama", "http://127.0.0.1:11434")
    for code, (statuses, whose, again) in PROVIDER_ERRORS.items():
        (row,) = [
            line.split("|") for line in page.splitlines() if line.startswith("|") and f"`{code}`" in line.split("|")[1]
        ]
        assert row[3].strip() == whose and row[4].strip() == ("yes" if again else "no"), code
        assert code == "provider_error" or all(str(status) in row[2] for status in statuses), code
    for name, (model, url) in PROVIDERS.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}`")]
        assert (model or "as named") in row and (url or "–") in row
