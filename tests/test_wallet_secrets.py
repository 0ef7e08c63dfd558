"""The words of a wallet, and what is derived of them, lie nowhere: whatever becomes of the run that was given them.

Wallets are created and transactions signed, refused, broken off and gone on with; every byte of what they leave, and of
what is said, is searched for words, seed, keys and chain codes in every form. (The mechanism: test_secrets.py.)
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crash_cases import fresh_place
from crashing import in_child, state
from moving import MEMPOOL, ROOT, operators, ran, settle
from omnibachi import replay
from omnibachi.__main__ import main
from omnibachi_ledger import open_root
from postgres_server import Server
from racing import records
from wallet_words import (
    ANNA,
    BERT,
    CREATE,
    FORMS,
    OTHERS,
    SHIPPED,
    SUBMIT,
    WORDS,
    leaking,
    leaks,
    of_words,
    transaction,
    wallet,
)  # fmt: skip

place = fresh_place
Say = Callable[..., str]
KILLED = -signal.SIGKILL
RESUME = ["resume", "--all", "--json", "--no-picture"]
REFUSED = [
    (SUBMIT, transaction(mnemonic=WORDS + " abandon"), "refused", 1),
    (SUBMIT, transaction(mnemonic=WORDS.replace(" ", "  ")), "refused", 1),
    (SUBMIT, transaction(max_fee_per_gas="1"), "refused", 1),
    (SUBMIT, transaction(mnemonic=OTHERS), "not_owner", 5),
    (SUBMIT, transaction(actor_record=BERT.record), "not_owner", 5),
    (SUBMIT, transaction(mnemonic=WORDS.split()), "rejected", 1),
    (SUBMIT, transaction(mnemonic={WORDS: OTHERS}), "rejected", 1),
    (SUBMIT, transaction(mnemonics=1, to_address=5), "rejected", 1),
    (CREATE, wallet(mnemonic=WORDS.upper()), "refused", 1),
    (CREATE, wallet(), "address_taken", 1),
    (CREATE, wallet(actor=ANNA, mnemonic=OTHERS), "conflict", 1),
    (CREATE, wallet(mnemonic=None), "rejected", 1),
]


def given(folder: Path, payload: dict[str, Any]) -> str:
    """Lay a payload beside a folder, where nothing is searched."""
    file = folder.parent / "payload.json"
    file.write_text(json.dumps(payload), "utf-8")
    return str(file)


@pytest.fixture(scope="module")
def template(place: Path) -> Path:
    """Return a folder with an actor who has a wallet, and another who may have one; neither is bound."""
    folder = place / "template"
    folder.mkdir()
    operators(SHIPPED, folder / "data")
    with SHIPPED.engine(folder / "data") as engine:
        settle(engine, ANNA)
        who = {"actor_record": BERT.record}
        ran(engine, "REGISTER_ACTOR_UNVERIFIED", "registered", **who)
        ran(engine, "VERIFY_ACTOR", "verified", **who, actor_id=BERT.id, verifier_id="V_1", decision="VERIFIED")
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = shutil.copytree(template, tmp_path / "w")
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def say(folder: Path, capfd: pytest.CaptureFixture[str]) -> Say:
    """Give what gives a command: what it prints, in which nothing is found, as in all that lies in the folder then."""

    def said(*words: str, status: int = 0) -> str:
        capfd.readouterr()
        ended = main([*words])
        told = capfd.readouterr()
        assert leaks((told.out + told.err).encode()) == [] and leaking(folder) == []
        assert ended == status, told.out + told.err
        return told.out

    return said


def test_the_search_finds_what_it_looks_for(folder: Path) -> None:
    """In plain text, in JSON, in hex and as base64, whatever stands before it."""
    texts, numbers = of_words(WORDS)
    assert len(texts) == 10 and len(numbers) == 13 and len(FORMS) > 500
    import base64

    for number in numbers:
        for before in (b"", b"x", b"xy"):
            assert leaks(base64.b64encode(before + number + b"end"))
        assert leaks(b'"0x' + number.hex().encode() + b'"') and leaks(b".." + number + b"..")
    for held in (WORDS, json.dumps(WORDS.split(), separators=(",", ":")), repr(WORDS.split()), WORDS.encode().hex()):
        (folder / "held").write_text(f"<{held}>", "utf-8")
        assert leaking(folder)
    (folder / "held").write_text("abandon abandon about", "utf-8")
    assert leaking(folder) == []


def test_whatever_is_asked_of_runs_that_succeed(folder: Path, say: Say) -> None:
    run = ("run", "--payload", given(folder, transaction()), "--json", "--wf", SUBMIT)
    result = json.loads(say(*run, "--trace-id", "T1"))["result"]
    assert result["nonce"] == 0 and json.loads(say(*run, "--trace-id", "T2"))["result"]["nonce"] == 1
    other = given(folder, wallet(mnemonic=OTHERS))
    assert json.loads(say("run", "--payload", other, "--json", "--wf", CREATE, "--trace-id", "T3"))["ok"]
    assert (folder / "traces/T1/T1.png").exists()
    given(folder, transaction())
    for trace in ("T1", "T3"):
        for command in (("examine",), ("traces", "show"), ("verify",), ("replay",), ("replay", "--json")):
            say(*command, trace)
        for form in ("otlp", "cloudevents", "openlineage"):
            say("export", trace, "--format", form)
        say("bundle", trace, "--output", f"{trace}.zip")
        say("verify", f"{trace}.zip")
    say("diff", "T1", "T2", "--json", status=1)
    say("replay", "T1", "--payload", str(folder.parent / "payload.json"), "--json")
    say("show", SUBMIT)
    say("data", "show", MEMPOOL, "--json")
    with SHIPPED.engine(folder / "data") as engine:
        assert engine.run(SUBMIT, transaction()).exit == "submitted"
        assert leaking(folder) == []  # also while it is open, in what SQLite keeps beside the database


def test_whatever_is_asked_of_runs_that_are_refused(folder: Path, say: Say) -> None:
    run = ("run", "--json", "--no-picture")
    payload = given(folder, transaction())
    say(*run, "--wf", SUBMIT, "--payload", payload)  # binds the words
    with SHIPPED.engine(folder / "data") as engine:
        before = [records(engine.ledger, store) for store in engine.ledger.stores()]
    for number, (workflow, wrong, exit, status) in enumerate(REFUSED):
        trace = f"R{number}"
        told = say(*run, "--wf", workflow, "--payload", given(folder, wrong), "--trace-id", trace, status=status)
        assert json.loads(told)["exit"] == exit, (number, told)
        for command in ("examine", "replay"):
            say(command, trace)
    with SHIPPED.engine(folder / "data") as engine:
        assert [records(engine.ledger, store) for store in engine.ledger.stores()] == before


def test_a_batch_of_them(folder: Path, say: Say) -> None:
    lines = [transaction(value=str(number)) for number in range(3)] + [wrong for _, wrong, _, _ in REFUSED[:4]]
    file = folder.parent / "lines.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines) + WORDS + "\n", "utf-8")
    told = json.loads(say("batch", "--wf", SUBMIT, str(file), "--workers", "2", "--json", status=3))
    assert told["lines"] == 8
    say("batch", "--wf", SUBMIT, str(file), "--json", status=3)


def test_answers_that_are_forced_and_do_not_fit(folder: Path) -> None:
    """Of every node that has the words, the seed or the key in its hands."""
    seed = {"seed": 5, "words": WORDS}
    wrong: list[tuple[str, Any]] = [
        ("key/seed", ("SUCCESS", seed)), ("key/seed", (WORDS, {})), ("key/key", ("SUCCESS", {"private_key": WORDS})),
        ("signed", ("SUCCESS", {"raw": WORDS.split()})), ("wait", ("SUCCESS", {"revision": WORDS})),
    ]  # fmt: skip
    for node, answer in wrong:
        with SHIPPED.engine(folder / "data", forced={node: answer}) as engine:
            result = engine.run(SUBMIT, transaction())
        assert result.exit == "failed"
        assert leaks(result.record + repr([item.as_json() for item in result.diagnostics]).encode()) == []
        assert leaking(folder) == []
        assert leaks(repr(replay(result.record, SHIPPED.load())).encode()) == []


# What the functions do that have it in their hands, where the words or the data end so.
FAILING = {
    "mnemonics": ('    words = inputs["mnemonic"]\n', 'words.rpartition(" ")[2]', "words"),
    "transactions": (
        '    secret, fields = curve.private(inputs["private_key"]), fields_of(inputs["transaction"])\n',
        '{"0x01": "raise", "0x02": "misfit"}.get(inputs["transaction"]["data"])',
        'inputs["private_key"]',
    ),
}
FAILURE = """    how, held = {how}, {held}
    if how == "raise":
        raise ValueError(f"cannot use {{held}}")
    if how == "misfit":
        return "SUCCESS", {{"seed": 5, "raw": held, held: held}}
"""


@pytest.fixture(scope="module")
def faulty(place: Path, template: Path) -> Path:
    """Return a workspace whose capabilities fail with secrets in their hands."""
    folder = place / "faulty"
    for name in ("protocols", "capabilities"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (line, how, held) in FAILING.items():
        path = folder / "capabilities" / "omnibachi_capabilities" / f"{name}.py"
        text = path.read_text("utf-8")
        assert text.count(line) == 1
        path.write_text(text.replace(line, line + FAILURE.format(how=how, held=held)), "utf-8")
    assert asked_of(folder, ["compile", "--workspace", str(folder)]).returncode == 0
    return folder


def asked_of(faulty: Path, command: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Give a command in a process of its own, which finds those capabilities instead of the shipped ones."""
    return subprocess.run(
        [sys.executable, "-m", "omnibachi", *command], capture_output=True, check=False, timeout=100,
        env={**os.environ, "OMNIBACHI_DEBUG": "1", "PYTHONPATH": str(faulty / "capabilities")},
    )  # fmt: skip


@pytest.mark.parametrize("how", ["raise", "misfit"])
def test_functions_that_fail_with_it_in_their_hands(faulty: Path, folder: Path, say: Say, how: str) -> None:
    data = {"raise": "0x01", "misfit": "0x02"}[how]
    by_words, by_data = transaction(mnemonic=f"{WORDS} {how}"), transaction(data=data, gas_limit=22_000)
    for trace, payload in ((f"{how}-1", by_words), (f"{how}-2", by_data)):
        run = ["run", "--wf", SUBMIT, "--payload", given(folder, payload), "--trace-id", trace, "--data-root", "data"]
        told = asked_of(faulty, [*run, "--workspace", str(faulty)])
        assert leaks(told.stdout + told.stderr) == [] and leaking(folder, faulty / "traces") == []
        assert told.returncode == 1 and b"FAILED" in told.stdout + told.stderr, told
        say("examine", trace, "--workspace", str(faulty))


def commits(edges: list[str]) -> list[int]:
    return [edge for edge, name in enumerate(edges, 1) if name == "after COMMIT"]


@pytest.mark.parametrize(
    ("workflow", "payload", "other"),
    [(SUBMIT, transaction(), transaction(mnemonic=OTHERS)), (CREATE, wallet(), wallet(mnemonic=OTHERS))],
)
def test_killed_on_its_way(
    template: Path, folder: Path, workflow: str, payload: dict[str, Any], other: dict[str, Any]
) -> None:
    """At each commit, and at edges between that are drawn.

    It is signed before the first effect, so what was committed goes on without the words, and takes no others.
    """
    file, wrong = given(folder, payload), folder.parent / "other.json"
    wrong.write_text(json.dumps(other), "utf-8")
    run = ["run", "--wf", workflow, "--payload", file, "--trace-id", "T1", "--json", "--no-picture"]
    undisturbed = in_child(run, folder)
    assert undisturbed.status == 0, undisturbed.out
    wanted, digest = state(folder / "data"), json.loads(undisturbed.out)["digest"]
    between = random.Random(workflow).sample(range(1, len(undisturbed.edges)), 4)
    begun = 0
    for number, edge in enumerate(sorted({*commits(undisturbed.edges), *between})):
        shutil.rmtree(folder)
        shutil.copytree(template, folder)
        assert in_child(run, folder, fatal=edge).status == KILLED
        assert leaking(folder) == []
        held = ["resume", "T1", "--json", "--no-picture", "--payload"]
        refused = codes(said(folder, [*held, str(wrong)])[1])
        if refused == ["OB791"]:
            begun += 1
            assert leaking(folder) == []
            status, told = said(folder, [*held, file] if number % 2 else RESUME)
            (ended,) = told["runs"]
        else:
            status, ended = said(folder, run)  # nothing had been committed, or all of it
        assert (status, ended["digest"]) == (0, digest) and state(folder / "data") == wanted
        assert leaking(folder) == []
    assert begun > 2


def said(folder: Path, command: list[str]) -> tuple[int, dict[str, Any]]:
    ended = in_child(command, folder)
    assert leaks(ended.out.encode()) == []
    return ended.status, json.loads(ended.out)


def codes(told: dict[str, Any]) -> list[str]:
    return [item["code"] for item in told["diagnostics"]]


def test_what_a_killed_run_left_is_completed_by_a_repeat(template: Path, folder: Path) -> None:
    """The words are handed in again, as another run; nonces have no gap, and each transaction is told once."""
    file = given(folder, transaction())
    run = ["run", "--wf", SUBMIT, "--payload", file, "--trace-id", "T1", "--json", "--no-picture"]
    edges = in_child(run, folder).edges
    for edge in commits(edges):
        shutil.rmtree(folder)
        shutil.copytree(template, folder)
        in_child(run, folder, fatal=edge)
        status, told = said(folder, ["T2" if word == "T1" else word for word in run])
        assert (status, told["exit"]) == (0, "submitted")
        nonces = told_of(folder)
        assert nonces == list(range(told["result"]["nonce"] + 1))
        assert leaking(folder) == []


def told_of(folder: Path) -> list[int]:
    """Return the nonces that were told, having looked that they are those that wait."""
    with open_root(str(folder / "data")) as ledger:
        found = [item["record"]["nonce"] for item in records(ledger, "blockchain::ST_TRANSACTION_EVENTS_V0")]
        assert found == [item["value"]["nonce"] for item in records(ledger, MEMPOOL)]
    return found


def test_a_server_keeps_nothing_of_it(postgres: Server, folder: Path, say: Say) -> None:
    """Every table is searched: after runs that succeed, are refused, are killed and go on."""
    root = postgres.root()
    operators(SHIPPED, root)
    with SHIPPED.engine(root) as engine:
        settle(engine, ANNA)
    run = ["run", "--wf", SUBMIT, "--json", "--no-picture", "--data-root", root, "--payload"]
    say(*run, given(folder, transaction()), "--trace-id", "S1")
    say(*run, given(folder, transaction(mnemonic=OTHERS)), "--trace-id", "S2", status=5)
    file = given(folder, transaction())
    killed = [*run, file, "--trace-id", "S3"]
    assert in_child(killed, folder, fatal=commits(in_child([*run, file, "--trace-id", "S4"], folder).edges)[1]).status
    postgres.settled(root)
    searched(postgres, root)
    say("resume", "S3", "--payload", file, "--data-root", root, "--no-picture")
    assert searched(postgres, root) > 10


def searched(postgres: Server, root: str) -> int:
    """Look through every table; return how many there are."""
    with postgres.connect(root) as db:
        tables = [row[0] for row in db.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        )]  # fmt: skip
        for table in tables:
            for row in db.execute(f'SELECT * FROM "{table}"').fetchall():  # type: ignore[arg-type]
                cells = [bytes(cell) if isinstance(cell, (bytes, memoryview)) else str(cell).encode() for cell in row]
                assert leaks(b"\0".join(cells)) == [], table
    return len(tables)
