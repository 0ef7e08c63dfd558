"""Secrets never leave a run: what is recorded, kept, drawn and said of one is searched for them, byte by byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vault
from handmade import call, leave, linked, record_of, run, workflow
from omnibachi import Workspace, examine, render
from omnibachi.__main__ import main
from omnibachi_model.diagnostics import Defect, Diagnostic, Trouble
from omnibachi_model.digests import decode, encode
from omnibachi_model.secrecy import commitment, is_withheld
from omnibachi_runtime.link import Malformed
from vault import LOOK, OPEN

FAILS = ("raise", "type", "outcome", "misfit", "change", "unwritable", "none", "VIOLATION")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("vault")
    vault.compiled(made)
    return made


def ran(folder: Path, payload: dict[str, Any], root: Path, workflow: str = OPEN) -> Any:
    return Workspace(folder).run(workflow, payload, data_root=root, picture=False)


def bodies(record: bytes) -> list[dict[str, Any]]:
    return [decode(line)["body"] for line in record.splitlines()]


def test_what_is_secret_is_withheld_and_what_is_public_goes_on(folder: Path, tmp_path: Path) -> None:
    result = ran(folder, vault.PAYLOAD, tmp_path)
    assert (result.exit, result.diagnostics) == ("opened", ())
    started, seed, *_ = told = bodies(result.record)
    payload = started["payload"]
    assert payload["name"] == "V1" and payload["wallet"]["label"] == "savings"
    hidden = (payload["words"], payload["note"], payload["wallet"]["passphrase"], *payload["pins"])
    assert all(map(is_withheld, hidden)) and len({json.dumps(item) for item in hidden}) == 5
    assert seed["inputs"]["words"] == payload["words"] and seed["inputs"]["fail"] == ""
    assert seed["output"]["length"] == 5 and is_withheld(seed["output"]["seed"])
    mix = next(body for body in told if body.get("path") == "mix")
    assert mix["output"]["label"] == "savings!" and is_withheld(mix["output"]["both"])
    assert not vault.found_in(result.record)
    key = (tmp_path / "commitments.key").read_bytes()
    assert payload["words"] == {"$withheld": commitment(key, vault.WORDS)}
    assert payload["note"] == {"$withheld": commitment(key, vault.NOTE)}


def test_the_digest_law_holds_on_one_data_root(folder: Path, tmp_path: Path) -> None:
    same = [ran(folder, vault.PAYLOAD, tmp_path / "a", LOOK) for _ in range(2)]
    other = ran(folder, vault.PAYLOAD, tmp_path / "b", LOOK)
    changed = ran(folder, {**vault.PAYLOAD, "words": "x"}, tmp_path / "a", LOOK)
    assert same[0].digest == same[1].digest
    assert len({same[0].digest, other.digest, changed.digest}) == 3


def test_a_used_id_answers_and_another_secret_is_another_payload(folder: Path, tmp_path: Path) -> None:
    space = Workspace(folder)

    def again(payload: dict[str, Any], address: str) -> Any:
        return space.run(address, payload, data_root=tmp_path / "d", trace_id=f"T{address[-7]}", picture=False)

    for address in (OPEN, LOOK):
        first, second = again(vault.PAYLOAD, address), again(vault.PAYLOAD, address)
        assert first.exit and second.repeated and second.digest == first.digest
        third = again({**vault.PAYLOAD, "words": "other words"}, address)
        assert [item.code for item in third.diagnostics] == ["OB711"]


@pytest.mark.parametrize(("fail", "debug"), [*((fail, "1") for fail in FAILS), ("raise", "")])
def test_no_failure_tells_a_secret(
    folder: Path, tmp_path: Path, fail: str, debug: str, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OMNIBACHI_DEBUG", debug)
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps({**vault.PAYLOAD, "fail": fail}), "utf-8")
    root, as_json = str(tmp_path / "data"), ["--json"] if debug else []
    call = ["--workspace", str(folder), "--data-root", root, *as_json]
    ended = main(["run", "--wf", OPEN, "--payload", str(payload), "--trace-id", f"F{fail}{debug}", *call])
    assert ended == 1
    trace = f"F{fail}{debug}"
    for command in (["examine", trace], ["traces", "show", trace], ["verify", trace], ["replay", trace]):
        main([*command, *call])
    said = capfd.readouterr()
    assert not vault.found_in((said.out + said.err).encode())
    assert vault.leaks(tmp_path / "data") == [] and vault.leaks(folder / "traces" / trace) == []
    if fail == "raise":
        told = [
            decode(line)["obs"] for line in (folder / "traces" / trace / f"{trace}.jsonl").read_bytes().splitlines()
        ]
        fault = next(obs["fault"] for obs in told if "fault" in obs)
        assert fault["reason"] == "raised" and fault["exception"] == "ValueError"


WRONG: list[dict[str, Any]] = [
    {"words": 5}, {"words": {vault.WORDS: 1}}, {"wordz": vault.WORDS}, {"wallet": vault.WORDS},
    {"wallet": {"label": 1, "passphrase": {vault.PASS: vault.PASS}}}, {"pins": {"a": vault.PINS[0]}},
    {"pins": [vault.PINS[0], 5, {vault.PINS[1]: 1}]}, {"note": vault.WORDS}, {"name": {"x": vault.WORDS}},
    {"wallet": {"label": "a", "pass_phrase": vault.PASS}}, {"words": vault.WORDS * 20},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=[str(number) for number in range(len(WRONG))])
@pytest.mark.parametrize("workflow", [OPEN, LOOK])
def test_no_misfit_tells_a_secret(folder: Path, tmp_path: Path, wrong: dict[str, Any], workflow: str) -> None:
    result = Workspace(folder).run(workflow, {**vault.PAYLOAD, **wrong}, data_root=tmp_path / "d", picture=False)
    assert result.exit == "rejected" and result.result["violations"]
    assert not vault.found_in(result.record)
    assert not vault.found_in(repr([item.as_json() for item in result.diagnostics]).encode())
    assert vault.leaks(tmp_path / "d") == []
    snapshot = Workspace(folder).load()
    told = examine(result.record, snapshot=snapshot)
    assert not vault.found_in(repr(told.as_json()).encode())


@pytest.mark.parametrize("outside", ["\ud800", float("nan"), 2**60, {"\U0001f511": 1}, {vault.WORDS: float("inf")}])
def test_what_no_record_can_hold_tells_no_secret(folder: Path, tmp_path: Path, outside: Any) -> None:
    members = ({"words": outside}, {"note": {vault.PASS: outside}}, {"nota": {vault.PASS: outside}})
    for payload in ({**vault.PAYLOAD, **member} for member in members):
        result = ran(folder, payload, tmp_path)
        assert [item.code for item in result.diagnostics] == ["OB122"]
        assert not vault.found_in(repr([item.as_json() for item in result.diagnostics]).encode())


def test_pictures_and_pages_show_no_secret(folder: Path, tmp_path: Path) -> None:
    result = ran(folder, vault.PAYLOAD, tmp_path)
    snapshot = Workspace(folder).load()
    for form in ("md", "svg", "dot", "png"):
        shown = render(result.record, snapshot, form)  # type: ignore[arg-type]
        assert shown and not vault.found_in(shown)
    assert b"withheld" in render(result.record, snapshot, "md")


def test_a_call_gives_secrets_to_its_caller_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    space = Workspace(folder)
    before = sorted(folder.rglob("*"))
    found = space.call("vault::CT_SEED_V0", {"words": vault.WORDS}, data_root=tmp_path / "d")
    assert found.outcome == "SUCCESS" and found.output["seed"].startswith("seed-")
    for fail in FAILS:
        failed = space.call("vault::CT_SEED_V0", {"words": vault.WORDS, "fail": fail}, data_root=tmp_path / "d")
        assert not vault.found_in(repr([item.as_json() for item in failed.diagnostics]).encode())
    misfit = space.call("vault::CT_SEED_V0", {"words": {vault.WORDS: 1}}, data_root=tmp_path / "d")
    assert misfit.outcome is None and not vault.found_in(repr([item.as_json() for item in misfit.diagnostics]).encode())
    assert sorted(path for path in folder.rglob("*") if "__pycache__" not in str(path)) == [
        path for path in before if "__pycache__" not in str(path)
    ]
    assert not (tmp_path / "d").exists()


def test_trouble_in_a_transform_tells_no_secret() -> None:
    """One that raises what is OmniBachi's own ends the walk, and its text goes nowhere."""
    text = {"type": "string", "secret": True}

    def troubled(inputs: Any) -> Any:
        raise Trouble(Diagnostic("OB720", f"cannot open {inputs['words']}"))

    node = call(
        "seed", "vault::CT_SEED_V0", {"words": ["ref", "payload", ["words"]]}, {"SUCCESS": record_of()},
        {"SUCCESS": 1, "FAULT": 1}, secret={"inputs": ["words"], "outputs": {}},
    )  # fmt: skip
    sealed = workflow([node, leave("done", "COMPLETED")], record_of({"words": text}))
    program = linked(sealed, {"vault::CT_SEED_V0": troubled})
    program.secrets.commit = lambda value: commitment(b"k" * 32, value)  # type: ignore[union-attr]
    with pytest.raises(Defect) as told:
        run(program, {"words": vault.WORDS})
    assert not vault.found_in(repr(told.value).encode()) and told.value.__suppress_context__


@pytest.mark.parametrize("secret", [{"inputs": "words"}, {"inputs": [1]}, {"outputs": []}, [], {"fields": {"a": 1}}, 1])
def test_a_node_whose_secrets_no_compiler_sealed_is_not_linked(secret: Any) -> None:
    node = call("a", "x::CT_X_V0", {}, {"SUCCESS": record_of()}, {"SUCCESS": 1, "FAULT": 1}, secret=secret)
    with pytest.raises(Malformed):
        linked(workflow([node, leave("done", "COMPLETED")]), {"x::CT_X_V0": print})


@given(secret=st.text(min_size=6), key=st.binary(min_size=32, max_size=32))
def test_commitments_are_those_of_the_standard_library(secret: str, key: bytes) -> None:
    import hashlib
    import hmac

    data = encode(secret)
    assert commitment(key, secret) == f"hmac-sha256:{hmac.new(key, data, hashlib.sha256).hexdigest()}"
    assert is_withheld({"$withheld": commitment(key, secret)})
    for other in (secret, {"$withheld": secret}, {"$withheld": commitment(key, secret), "a": 1}, {"$withheld": None}):
        assert not is_withheld(other)
