"""An observer and a gateway as processes: it follows by itself, whatever happens to either, and only ever reads."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from deciding import deny_many
from omnibachi.observer_memory import Memory
from omnibachi_ledger import open_root
from omnibachi_observer.folding import Folds
from omnibachi_observer.views import thread, threads
from proxying import Proxy, proxy
from serving import ROOT, Server, serving, starting, until


def shown(observer: Server, gateway: Server) -> dict[str, Any]:
    """Wait until the observer holds what the gateway has, and return its figures."""
    length = gateway.read("/status")["ledger"]["length"]
    until(lambda: observer.read("/status")["event_count"] >= length)
    return dict(observer.read("/status"))


def raised(observer: Server) -> set[str]:
    return {item["id"] for item in observer.read("/signals")["signals"]}


def restarted(place: tuple[str, int], root: Path) -> Any:
    return serving("gateway", "--port", str(place[1]), "--data-root", str(root))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Proxy, Server]]:
    """A gateway under the pack demo whose ledger has 5,000 events, an observer, and a proxy between them."""
    root = tmp_path_factory.mktemp("served")
    with open_root(str(root)) as ledger:
        deny_many(ledger, 2500)
    with (
        serving("gateway", "--data-root", str(root), "--policy", "demo") as gateway,
        proxy(gateway.place) as between,
        serving("observer", "--gateway", between.url) as observer,
    ):
        yield gateway, between, observer


def test_what_is_posted_is_shown_as_it_was_recorded(running: tuple[Server, Proxy, Server]) -> None:
    gateway, _, observer = running
    for turn, message in (("u1", "hello"), ("u2", ""), ("u3", "x" * 400)):
        gateway.settled(gateway.say(message, thread_id="t/1", turn_id=turn))
    figures = shown(observer, gateway)
    assert figures["verified"] and figures["lag"] == 0 and figures["last_index"] == figures["event_count"] - 1
    found = observer.read("/threads/t%2F1")
    assert found["observer_version"] == 1 and found["normative"] is False
    totals = {name: found["thread"][name] for name in found["thread"] if name.endswith("_total")}
    assert totals == {
        "allow_total": 2, "deny_total": 1, "execution_ok_total": 1, "execution_error_total": 1, "pending_total": 0,
    } | {"turns_total": 3}  # fmt: skip
    assert all(type(value) is int for value in totals.values())
    told = [(turn["decision_result"], turn["reason_codes"], turn["error_code"]) for turn in found["turns"]]
    assert told == [
        ("ALLOW", ["policy.within_limits"], None),
        ("ALLOW", ["policy.within_limits"], "invalid_request_error"),
        ("DENY", ["policy.message_too_long"], None),
    ]
    assert observer.read("/threads")["threads"][0] == found["thread"]
    events = observer.read("/events", thread_id="t/1", turn_id="u2")["events"]
    assert events == gateway.events(correlation_id=events[0]["correlation_id"])
    for turn in found["turns"]:
        picture = observer.get("/picture", correlation_id=turn["correlation_id"])
        assert picture.status_code == 200 and picture.headers["content-type"] == "image/svg+xml"
        assert ("record_deny" in picture.text.split("</desc>")[0]) is (turn["decision_result"] == "DENY")


def test_an_existing_client_sees_what_it_sends(running: tuple[Server, Proxy, Server]) -> None:
    """14.11: posts flat, reads the newest page and the projection, with 5,000 events before it."""
    gateway, _, observer = running
    answer = gateway.say("", correlation_id="client-1")
    gateway.settled(answer)
    rows = gateway.read("/snapshot", limit=500, stream_id="default")["events"][-3:]
    assert [row["kind"] for row in rows] == ["INTENT", "DECISION", "EXECUTION"]
    shown(observer, gateway)
    assert observer.read("/threads/client-1")["thread"]["execution_error_total"] == 1
    assert raised(observer) == {"thread.thread.deny_rate.critical"}, "of what was there before"


def test_whoever_watches_is_told(running: tuple[Server, Proxy, Server]) -> None:
    gateway, _, observer = running
    with observer.client.stream("GET", observer.url + "/live") as live:
        lines = live.iter_lines()
        first = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
        gateway.settled(gateway.say(thread_id="watched"))
        later = next(
            told for line in lines if line.startswith("data: ") and (told := json.loads(line[6:]))["thread_id"]
        )
    assert first["thread_id"] is None and later["thread_id"] == "watched"
    assert later["last_index"] > first["last_index"] and later["signals"] == {"info": 0, "warn": 0, "critical": 1}


def test_a_broken_tail_is_polled_for_and_only_get_is_ever_sent(running: tuple[Server, Proxy, Server]) -> None:
    """14.5: a proxy that notes every byte sees nothing but GET."""
    gateway, between, observer = running
    between.refused = b"GET /tail"
    between.cut()
    for number in range(4):
        gateway.settled(gateway.say(f"message {number}", thread_id="broken"))
        assert shown(observer, gateway)["verified"]
    between.refused = b"\0"
    for _ in range(3):
        between.cut()
        gateway.settled(gateway.say(thread_id="mended"))
        assert shown(observer, gateway)["verified"]
    assert observer.read("/threads/broken")["thread"]["turns_total"] == 4
    # 14.8: what was folded between all these cuts is what a plain fold of the ledger gives.
    plain = Folds()
    plain.fold(gateway.events())
    assert observer.read("/threads")["threads"] == threads(plain, 50, 0)
    for name in plain.threads:
        found = observer.read(f"/threads/{quote(name, safe='')}")
        assert {"thread": found["thread"], "turns": found["turns"]} == {
            name: value for name, value in (thread(plain, name, None, None) or {}).items() if name != "turns_offset"
        }
    asked = between.requests()
    assert len(asked) > 10 and {line.split(b" ")[0] for line in asked} == {b"GET"}
    assert {line.split(b" ")[1].split(b"?")[0] for line in asked} <= {b"/snapshot", b"/tail"}


def test_it_begins_before_the_gateway_outlives_it_and_goes_on(tmp_path: Path) -> None:
    with serving("gateway", "--data-root", str(tmp_path / "g")) as gateway:
        place = gateway.place
        assert gateway.stop() == 0
    with serving("observer", "--gateway", f"http://127.0.0.1:{place[1]}") as observer:
        assert observer.read("/status")["lag"] is None
        until(lambda: raised(observer) == {"system.gateway.unreachable"})
        with restarted(place, tmp_path / "g") as gateway:
            gateway.settled(gateway.say(thread_id="one"))
            shown(observer, gateway)
            until(lambda: raised(observer) == set())
            gateway.stop()
        assert observer.read("/threads/one")["thread"]["turns_total"] == 1
        assert observer.read("/events", thread_id="one", turn_id=observer.read("/threads/one")["turns"][0]["turn_id"])
        with restarted(place, tmp_path / "g") as gateway:
            gateway.settled(gateway.say(thread_id="two"))
            assert shown(observer, gateway)["thread_count"] == 2
        assert observer.stop() == 0


def changed(root: Path, sql: str, *values: Any) -> None:
    """Do something to a ledger that no gateway does."""
    with sqlite3.connect(root / "store.db", timeout=30) as db:
        triggers = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type='trigger' AND tbl_name='decisions'"
        ).fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(sql, values)
        for _, text in triggers:
            db.execute(text)
    db.close()


def test_a_past_that_changes_is_signalled_while_reads_go_on(tmp_path: Path) -> None:
    """14.1: also far behind the head, under a gateway and an observer at work; and it is over when it is put right."""
    root = tmp_path / "g"
    with (
        serving("gateway", "--data-root", str(root)) as gateway,
        serving("observer", "--gateway", gateway.url) as observer,
    ):
        for number in range(3):
            gateway.settled(gateway.say(f"message {number}", thread_id="t"))
        shown(observer, gateway)
        changed(root, "UPDATE decisions SET lane='night' WHERE position=1")
        until(lambda: raised(observer) == {"system.ledger.mismatch"})
        status = observer.read("/status")
        assert (status["verified"], status["stopped"]["at_index"]) == (False, 1)
        gateway.say("more", thread_id="t")
        assert observer.read("/threads/t")["thread"]["turns_total"] == 3
        changed(root, "UPDATE decisions SET lane='user_chat' WHERE position=1")
        until(lambda: raised(observer) == set())
        assert shown(observer, gateway)["verified"] and observer.read("/threads/t")["thread"]["turns_total"] == 4


def test_what_is_remembered_is_gone_on_from_and_compared(tmp_path: Path) -> None:
    """Killed or stopped, it comes back as it was; another ledger in the gateway's place is found out."""
    root, kept = tmp_path / "g", tmp_path / "kept"
    with serving("gateway", "--data-root", str(root)) as gateway:
        options = ("--gateway", gateway.url, "--data-root", str(kept))
        with serving("observer", *options) as observer:
            gateway.settled(gateway.say(thread_id="t"))
            before = shown(observer, gateway)
            assert observer.stop() == 0
        told = gateway.events()
        for line in (kept / "observer.json").read_bytes().split(b"\n")[:1]:
            assert json.loads(line)["head"] == told[-1]["digest"]
        gateway.settled(gateway.say(thread_id="t"))
        with serving("observer", *options) as observer:
            after = shown(observer, gateway)
            assert observer.read("/threads/t")["thread"]["turns_total"] == 2 and after["verified"]
            assert observer.stop(signal.SIGKILL) == -signal.SIGKILL
        assert gateway.events()[: len(told)] == told and before["event_count"] == len(told)
        place = gateway.place
        gateway.stop()
    with restarted(place, tmp_path / "another") as gateway:
        gateway.settled(gateway.say(thread_id="another"))
        with serving("observer", *options) as observer:
            until(lambda: raised(observer) == {"system.ledger.rewritten"})
            assert observer.read("/status")["verified"] is False
            assert observer.get("/threads/another").status_code == 404
            assert observer.read("/threads/t")["thread"]["turns_total"] == 1  # as it was when it last wrote


def test_a_spoilt_memory_is_read_anew(tmp_path: Path) -> None:
    """OB951."""
    (tmp_path / "observer.json").write_bytes(b"{}")
    with serving("observer", "--data-root", str(tmp_path)) as observer:
        assert observer.read("/status")["event_count"] == 0
        assert "warning[OB951]" in observer.said()
        assert observer.stop() == 0
        assert Memory(str(tmp_path)).recall()[1] is None


@pytest.mark.parametrize(
    ("options", "code", "status"),
    [
        (("--gateway", "localhost:8010"), "OB952", 3),
        (("--gateway", "http://localhost:8010/?a=b"), "OB952", 3),
        (("--data-root", "/dev/null"), "OB950", 6),
        (("--data-root", "postgresql://localhost/x"), "OB786", 3),
        (("--host", "0.0.0.0"), "OB931", 3),
        (("--token-file", "/dev/null"), "OB923", 3),
    ],
)
def test_what_it_cannot_begin_with_is_refused(options: tuple[str, ...], code: str, status: int) -> None:
    with starting("observer", *options) as observer:
        assert observer.process.wait(30) == status
        assert f"error[{code}]" in observer.said() and "Traceback" not in observer.said()


def test_a_gateway_with_tokens_is_read_with_one(tmp_path: Path) -> None:
    from omnibachi_transport.tokens import token_entry

    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({"tokens": [token_entry("reading", "olga", None, ["read"])]}))
    file.chmod(0o600)
    with serving("gateway", "--data-root", str(tmp_path / "g"), "--token-file", str(file)) as gateway:
        with serving("observer", "--gateway", gateway.url) as observer:
            until(lambda: [line for line in observer.log() if line["event"] == "silent"])
            assert observer.read("/status")["lag"] is None
        with serving("observer", "--gateway", gateway.url, env={"DBL_TOKEN": "reading"}) as observer:
            until(lambda: observer.read("/status")["lag"] == 0)
            assert "reading" not in observer.said() and raised(observer) == set()


def test_another_workspace_lacks_the_picture_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "w" / "protocols").mkdir(parents=True)
    with serving("observer", "--workspace", str(tmp_path / "w")) as observer:
        found = observer.get("/picture")
        assert found.status_code == 503 and found.json()["reason_code"] == "store.unavailable"
        assert observer.read("/status")["event_count"] == 0 and ROOT.is_dir()
