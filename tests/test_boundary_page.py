"""The page of the boundary as a newcomer types it: three commands, an intent by hand, and the proofs afterwards."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from front_door import Call, call
from knocking import knock
from serving import ROOT, serving, until

__all__ = ["call"]

PAGE = (ROOT / "docs" / "boundary.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def block(language: str, says: str) -> str:
    return next(text for kind, text in BLOCKS if kind == language and says in text)


def settled(text: str) -> list[str]:
    """Return the lines of a text without what differs from one time to the next."""
    text = re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", text)
    text = re.sub(r"(witness-\w+)-[0-9a-f]{16}", r"\1-ID", text)
    return [line.rstrip() for line in re.sub(r"\bc-[0-9a-f]{32}\b", "c-ID", text).splitlines()]


def test_what_the_page_types_does_what_the_page_shows(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    gateway_line, observer_line, witness_line = map(shlex.split, block("sh", "omnibachi witness").splitlines())
    data = str(tmp_path / "data")
    with (
        serving(*gateway_line[2:], "--data-root", data) as gateway,
        serving(*observer_line[2:], "--gateway", gateway.url) as observer,
    ):
        said = call(*witness_line[1:], "--gateway", gateway.url, "--observer", observer.url)
        assert said.status == 0
        told, shown = settled(said.out), settled(block("", "happy_path: worked"))
        at = 0
        for line in shown:
            if line != "…":
                assert line in told[at:], line
                at = told.index(line, at) + 1
        (denial,) = gateway.events(kind="DECISION", correlation_id=re.findall(r"witness-policy_deny-\w+", said.out)[0])
        expected = json.loads(block("json", "DENY"))
        assert expected.pop("facts").items() <= denial["payload"]["facts"].items()
        assert expected.items() <= denial["payload"].items()
        typed, _, answer = block("", "$ curl").partition("'\n{")
        heard = knock(gateway.url, "/ingress/intent", json.loads(typed.split("-d '")[1]))
        expected = json.loads("".join(settled("{" + answer)))
        if heard.value["queued"]:  # by a machine that has much to do
            expected |= {"queued": True, "state": heard.value["state"]}
        ids = ("correlation_id", "thread_id", "turn_id")
        assert {name: "c-ID" if name in ids else value for name, value in heard.value.items()} == expected
        until(lambda: observer.read("/status")["last_index"] == 10)
        assert [server.stop() for server in (observer, gateway)] == [0, 0]
    lines = block("", "$ omnibachi verify data\n").splitlines()
    typed_lines = [shlex.split(line[2:]) for line in lines if line.startswith("$ ")]
    proven = "".join(call(*words[1:]).out for words in typed_lines)
    assert settled(proven) == settled("\n".join(line for line in lines if not line.startswith("$ ")))


def test_every_option_that_the_page_names_is_known(call: Call) -> None:
    """Whatever stands after `$ omnibachi` on the page is understood by the command that it names."""
    named = set()
    for line in re.findall(r"^\$ (omnibachi .*)$", PAGE, re.MULTILINE):
        words = shlex.split(line.split(" #")[0])[1:]
        command = words[:2] if words[0] in ("serve", "keys", "data") else words[:1]
        helped = call(*command, "--help")
        assert helped.status == 0, line
        for word in words:
            if word.startswith("--"):
                assert word in helped.out, (line, word)
                named.add(word)
    assert {"--policy", "--token-file"} <= named


def test_its_links_lead_somewhere() -> None:
    heads = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", PAGE, re.M)}
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        assert (ROOT / "docs" / file).exists() if file else anchor in heads, target
