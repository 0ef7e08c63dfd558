"""A gateway as a process: how it stops, what it finishes, that two keep one chain, and why one does not begin."""

from __future__ import annotations

import io
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from governing import IDENTITY, LEDGER, anchors, gateway, post, stories
from model_house import ModelHouse
from omnibachi.__main__ import main
from omnibachi_ledger.decisions.checkpoints import read_checkpoint
from omnibachi_transport.log_lines import Lines
from omnibachi_transport.writing import Walkers
from postgres_server import Server as Postgres
from postgres_server import started
from serving import ROOT, SECONDS, Server, serving, starting, until
from thoroughness import THOROUGH

ALLOWED = ["INTENT", "DECISION ALLOW", "EXECUTION ok"]


def model(house: ModelHouse, name: str) -> list[str]:
    """Return the options of a gateway that asks a model of the house."""
    return ["--provider", "openai", "--model", name, "--provider-url", house.base]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(tmp_path: Path, number: int) -> None:
    with serving("gateway", "--data-root", str(tmp_path / "data")) as server:
        with server.tail() as events:
            said = server.say()
            assert [next(events)["kind"] for _ in range(3)] == ["INTENT", "DECISION", "EXECUTION"]
            assert server.stop(number) == 0
            assert list(events) == []  # The tail ends as an answer does.
        assert server.log()[-1] == {"at": server.log()[-1]["at"], "event": "stopped", "left": 0}
        assert server.process.stdout is not None and server.process.stdout.read() == b""
        assert "Traceback" not in server.said()
    held = read_checkpoint((tmp_path / "data.checkpoint.json").read_bytes())
    assert held is not None and held["length"] == said["index"] + 3
    assert not list((tmp_path / "data" / "locks").glob("*.lock"))


def test_what_is_in_hand_is_finished(tmp_path: Path) -> None:
    with ModelHouse() as house, serving("gateway", "--data-root", str(tmp_path), *model(house, "late")) as server:
        found = server.say(correlation_id="a")
        assert (found["queued"], found["state"]) == (True, "ALLOWED")
        until(lambda: house.asked)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: not _reached(server))
        house.release.set()
        assert server.process.wait(SECONDS) == 0
        assert server.log()[-1]["left"] == 0
    assert stories(tmp_path) == {"a": ALLOWED}


def _reached(server: Server) -> bool:
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return False
    return True


def test_what_takes_longer_is_left_for_the_next(tmp_path: Path) -> None:
    with ModelHouse() as house:
        with serving("gateway", "--data-root", str(tmp_path), *model(house, "stall")) as server:
            found = server.say(correlation_id="a")
            assert (found["queued"], found["state"], found["index"]) == (True, "ALLOWED", 0)
            again = server.say(correlation_id="a")
            assert (again["queued"], again["replayed"], again["state"]) == (True, True, "ALLOWED")
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 20
            assert server.log()[-1]["left"] == 1
        with serving("gateway", "--data-root", str(tmp_path), *model(house, "stall")) as server:
            assert server.read("/status", correlation_id="a")["state"] == "EXECUTED"
            assert server.say(correlation_id="a")["replayed"] is True
        assert len(house.asked) == 1
    assert stories(tmp_path) == {"a": [*ALLOWED[:2], "EXECUTION outcome_unknown"]}


def test_an_intent_is_recorded_however_long_others_wait(tmp_path: Path) -> None:
    with ModelHouse() as house, serving("gateway", "--data-root", str(tmp_path), *model(house, "stall")) as server:
        answers: list[Any] = []

        def ask(number: int) -> None:
            answers.append(httpx2.post(f"{server.url}/ingress/intent", timeout=SECONDS, json={
                "intent_type": "chat.message", "payload": {"message": "x"}, "correlation_id": f"c{number}",
            }).json())  # fmt: skip

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(answer["queued"] and answer["state"] in ("INTENTED", "ALLOWED") for answer in answers)
        assert sorted(answer["correlation_id"] for answer in answers) == [f"c{number}" for number in range(8)]
        conflict = server.post({"intent_type": "chat.message", "payload": {"message": "y"}, "correlation_id": "c1"})
        assert (conflict.status_code, conflict.json()["reason_code"]) == (409, "admission.correlation_conflict")
        assert server.read("/status")["queue"]["depth"] == 8


def test_two_gateways_keep_one_chain(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    with serving("gateway", "--data-root", root) as one, serving("gateway", "--data-root", root) as two:
        answers: list[Any] = []

        def ask(server: Server, first: int) -> None:
            with httpx2.Client(timeout=SECONDS, trust_env=False) as client:
                for number in range(first, 60):
                    answers.append(client.post(f"{server.url}/ingress/intent", json={
                        "intent_type": "chat.message", "payload": {"message": f"m{number}"},
                        "correlation_id": f"c{number}",
                    }).json())  # fmt: skip

        with one.tail() as events:
            threads = [threading.Thread(target=ask, args=(server, first)) for server in (one, two) for first in (0, 30)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            until(lambda: one.read("/status")["correlations"]["executed_ok"] == 60)
            told = [next(events) for _ in range(180)]
        assert one.events() == two.events() == told
        assert all(answer["accepted"] for answer in answers)
        heads = [server.read("/status")["ledger"] for server in (one, two)]
        assert heads[0] == heads[1]
        assert (one.stop(), two.stop()) == (0, 0)
    assert stories(root) == {f"c{number}": ALLOWED for number in stories_order(told)}


def stories_order(told: list[dict[str, Any]]) -> list[int]:
    return [int(event["correlation_id"][1:]) for event in told if event["kind"] == "INTENT"]


def spoil(root: Path, sql: str) -> None:
    """Change a ledger past its triggers."""
    db = sqlite3.connect(root / "store.db")
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    db.execute(sql)
    db.commit()
    db.close()


def test_a_ledger_that_does_not_hold_is_read_and_not_written(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with gateway(root) as door:
        for name in "abc":
            post(door, name)
    spoil(root, "UPDATE decisions SET actor='nobody' WHERE position=3")
    before = (root / "store.db").read_bytes()
    with serving("gateway", "--data-root", str(root)) as server:
        assert server.read("/status")["ledger"]["health"] == "suspect"
        assert server.read("/status")["ledger"]["first_bad_index"] == 3 and "event 3" in server.read("/status")["note"]
        found = server.post({"intent_type": "chat.message", "payload": {"message": "x"}})
        assert (found.status_code, found.json()["reason_code"]) == (503, "store.unavailable")
        assert found.headers["retry-after"] and server.get("/healthz").status_code == 503
        assert len(server.events()) == 9
        with server.tail(follow=0) as events:
            assert len(list(events)) == 9
        assert server.stop() == 0
        assert [item["code"] for item in server.log() if item["event"] == "suspect"] == ["OB820"]
    assert (root / "store.db").read_bytes() == before and not (tmp_path / "data.checkpoint.json").exists()


def test_what_one_reader_finds_out_holds_for_all(tmp_path: Path) -> None:
    """Each handle looks at the ledger when it is opened first; no two may tell different things, or take intents."""
    root = tmp_path / "data"
    with gateway(root) as door:
        post(door, "a")
    with serving("gateway", "--data-root", str(root)) as server:
        spoil(root, "UPDATE decisions SET actor='nobody' WHERE position=1")
        found = [server.read("/status") for _ in range(4)]
        assert {(item["ledger"]["health"], item["ledger"]["first_bad_index"]) for item in found} == {("suspect", 1)}
        assert {item["note"] for item in found} == {"event 1 does not hold: intents are refused, reads go on"}
        assert server.post({"intent_type": "chat.message", "payload": {"message": "x"}}).status_code == 503
        assert server.get("/healthz").status_code == 503 and server.stop() == 0
    assert not (tmp_path / "data.checkpoint.json").exists()


def test_what_one_walker_finds_out_holds_for_all(tmp_path: Path) -> None:
    log = io.BytesIO()
    with ModelHouse() as house, gateway(tmp_path, provider="openai", model="late", provider_url=house.base) as door:
        walkers = Walkers(door.beside, lines := Lines(log))
        walkers.start()

        def asked(name: str) -> Any:
            return walkers.govern((anchors(name), {"payload": {"message": "x"}, "form": "flat"}, IDENTITY))

        first = asked("a")
        until(lambda: house.asked)
        spoil(tmp_path, "UPDATE decisions SET actor='nobody' WHERE position=0")
        assert asked("b").result(SECONDS).refused == "store.unavailable"
        assert (walkers.suspect, walkers.takes(), asked("c")) == (True, False, None)
        house.release.set()
        assert first.result(SECONDS).state == "EXECUTED" and walkers.close(SECONDS) == 0
        assert door._engine.ledger.decisions(LEDGER).correlation("b") is None
    lines.close()
    assert [item["code"] for item in map(json.loads, log.getvalue().splitlines())] == ["OB820"]


def test_a_ledger_that_was_cut_departs_from_its_checkpoint(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with serving("gateway", "--data-root", str(root)) as server:
        server.settled(server.say())
        assert server.stop() == 0
    for path in root.glob("store.db*"):
        path.unlink()
    with serving("gateway", "--data-root", str(root)) as server:
        status = server.read("/status")
        assert status["ledger"]["health"] == "suspect" and "checkpoint" in status["note"]
        assert server.post({"intent_type": "chat.message", "payload": {"message": "x"}}).status_code == 503
        assert [item["code"] for item in server.log() if item["event"] == "checkpoint"] == ["OB822"]


@pytest.mark.parametrize(("options", "status", "code"), [
    (["--host", "0.0.0.0"], 3, "OB931"), (["--host", ".."], 3, "OB932"), (["--policy", "allow"], 3, "OB843"),
    (["--provider", "stubb"], 3, "OB860"), (["--provider", "openai"], 3, "OB861"), (["--token-file", "no"], 3, "OB923"),
    (["--provider", "ollama", "--model", "m", "--api-key-env", "NO_SUCH"], 3, "OB862"),
    (["--data-root", "/dev/null/x"], 6, "OB720"), (["--workspace", "/nowhere"], 3, "OB751"),
    (["--data-root", "postgresql://nobody@127.0.0.1:1/none"], 6, "OB720"), (["--checkpoint-key", "no"], 3, "OB613"),
    (["--port", "99999"], 2, "OB752"), (["--workspace", str(ROOT / "examples" / "errors")], 3, "OB601"),
])  # fmt: skip
def test_why_it_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], options: list[str],
    status: int, code: str,
) -> None:  # fmt: skip
    def begin(*_: Any, **__: Any) -> None:
        raise AssertionError("it began")

    monkeypatch.setattr("uvicorn.Server.run", begin)
    monkeypatch.setattr("omnibachi_transport.log_lines.Lines.say", begin)
    found = main(["serve", "gateway", "--json", "--port", "0", "--workspace", str(ROOT), "--data-root", str(tmp_path),
                  *options])  # fmt: skip
    told = json.loads(capfdbinary.readouterr().out)
    assert [item["code"] for item in told["diagnostics"]] == [code] and found == status


def test_a_workspace_without_a_gateway(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["init", str(tmp_path / "mine")]) == 0
    assert main(["serve", "gateway", "--port", "0", "--workspace", str(tmp_path / "mine")]) == 3
    assert b"error[OB934] no-gateway-in-the-snapshot" in capfdbinary.readouterr().err
    assert not (tmp_path / "mine" / "data").exists()


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_http_stack(tmp_path: Path, missing: str) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; from omnibachi.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "serve", "gateway", "--data-root", str(tmp_path / "data"), "--port", "0"],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 3 and "error[OB933]" in done.stderr and "`omnibachi[serve]`" in done.stderr


def test_without_a_standard_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = free.getsockname()
    program = "import os, sys; os.close(2); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = ["-m", "omnibachi", "serve", "gateway", "--port", str(place[1]), "--data-root", str(tmp_path / "data")]
    process = subprocess.Popen([sys.executable, "-c", program, *command, "--workspace", str(ROOT)], cwd=tmp_path)
    try:
        until(lambda: _answers(f"http://127.0.0.1:{place[1]}/healthz"))
        process.terminate()
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.TransportError:
        return False


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with starting("gateway", "--port", port, "--data-root", str(tmp_path / "data")) as server:
            assert server.process.wait(SECONDS) == 3
            assert server.said().startswith(
                f"error[OB930] port-taken: `127.0.0.1:{port}` is taken by another program\n"
            )
    assert not (tmp_path / "data").exists()


def test_a_data_root_on_a_server(tmp_path: Path, postgres: Postgres) -> None:
    root = postgres.root()
    checkpoint = tmp_path / "checkpoint.json"
    with serving("gateway", "--data-root", root, "--policy", "demo", "--checkpoint", str(checkpoint)) as server:
        with server.tail() as events:
            for message in ("hello", "x" * 400, ""):
                server.settled(server.say(message))
            told = [next(events) for _ in range(8)]
        assert server.events() == told
        assert server.read("/status")["correlations"] == {
            "intented": 0, "allowed": 0, "denied": 1, "executed_ok": 1, "executed_error": 1,
        }  # fmt: skip
        assert server.get("/snapshot", thread_id="\ufffd").json()["matched"] == 0
        assert server.stop() == 0
        assert "Traceback" not in server.said()
    held = read_checkpoint(checkpoint.read_bytes())
    assert held is not None and held["length"] == 8


@pytest.mark.skipif(not THOROUGH, reason="OMNIBACHI_THOROUGH is not set")
def test_a_database_that_went_away_and_came_back(tmp_path: Path) -> None:
    checkpoint = str(tmp_path / "checkpoint.json")
    with started() as (dsn, keeper), serving("gateway", "--data-root", dsn, "--checkpoint", checkpoint) as server:
        server.settled(server.say(correlation_id="a"))
        keeper.ask("kill")
        message = {"intent_type": "chat.message", "payload": {"message": "x"}, "correlation_id": "b"}
        for found in (server.post(message), server.get("/status"), server.get("/snapshot")):
            assert (found.status_code, found.json()["reason_code"]) == (503, "store.unavailable"), found.text
        until(lambda: server.get("/healthz").status_code == 503)
        keeper.ask("start")
        until(lambda: server.get("/healthz").status_code == 200)
        until(lambda: server.post(message).status_code == 202)
        until(lambda: len(server.get("/snapshot").json().get("events", [])) == 6)
        assert server.stop() == 0
        assert "Traceback" not in server.said()


def test_what_a_dead_gateway_left_is_closed_by_one_that_lives(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    with ModelHouse() as house, serving("gateway", "--data-root", root) as one:
        with serving("gateway", "--data-root", root, *model(house, "stall")) as two:
            left = two.say(correlation_id="a")
            until(lambda: house.asked)
            two.process.kill()
            two.process.wait(SECONDS)
        assert one.settled(left) == "EXECUTED"
        swept = until(lambda: [item for item in one.log() if item["event"] == "swept"])
        assert {item["exit"] for item in swept} == {"executed"} and len(house.asked) == 1
        assert one.stop() == 0
    assert stories(root) == {"a": [*ALLOWED[:2], "EXECUTION outcome_unknown"]}
