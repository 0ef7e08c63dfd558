"""Clients that know nothing of this project: who posts, waits a second and reads sees its rows and its projection."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from knocking import enveloped, final, flat, knock, with_a_past
from serving import serving, until

FORMS = ("flat", "v2", "v3")
KINDS = ["INTENT", "DECISION", "EXECUTION"]


def body(form: str, correlation: str, message: str) -> dict[str, Any]:
    made = flat(correlation, message) if form == "flat" else enveloped(int(form[1:]), correlation, message)
    if form == "v3":
        for name in ("stream_id", "lane", "actor"):
            del made["payload"][name]
    return made


@pytest.mark.parametrize("earlier", [600, 5000])
def test_a_client_that_posts_waits_a_second_and_reads(tmp_path: Path, earlier: int) -> None:
    root = with_a_past(tmp_path / "data", earlier)
    with (
        serving("gateway", "--data-root", str(root)) as gateway,
        serving("observer", "--gateway", gateway.url) as observer,
    ):
        # The client is quick, the servers may have begun this moment: an observer reads a long past first.
        until(lambda: observer.read("/status")["last_index"] == earlier - 1)
        sent = {f"{form}-{what}": (form, message) for form in FORMS for what, message in (("m", "hello"), ("e", ""))}
        for name, (form, message) in sent.items():
            answer = knock(gateway.url, "/ingress/intent", body(form, name, message))
            assert (answer.status, answer.value["accepted"], answer.value["correlation_id"]) == (202, True, name)
        time.sleep(1)
        page = knock(gateway.url, "/snapshot?limit=500&stream_id=default").value
        assert page["length"] == earlier + 18 and len(page["events"]) == min(earlier + 18, 500)
        for name, (_, message) in sent.items():
            rows = [event for event in page["events"] if event["correlation_id"] == name]
            assert [row["kind"] for row in rows] == KINDS and rows[1]["payload"]["result"] == "ALLOW"
            said = rows[2]["payload"]
            if message:
                assert said["status"] == "ok" and said["output_text"] and "error" not in said
            else:
                assert said["error"]["code"] == "invalid_request_error" and "output_text" not in said
            shown = knock(observer.url, f"/threads/thread-{name}").value
            thread, (turn,) = shown["thread"], shown["turns"]
            totals = ("turns_total", "allow_total", "deny_total", "execution_ok_total", "execution_error_total")
            assert [thread[total] for total in totals] == [1, 1, 0, int(bool(message)), int(not message)]
            assert (turn["decision_result"], turn["has_execution"], turn["has_errors"]) == ("ALLOW", True, not message)
            assert turn["error_code"] == (None if message else "invalid_request_error")
        signals = knock(observer.url, "/signals").value
        assert signals["observer_version"] == 1 and signals["normative"] is False
        assert [item for item in signals["signals"] if item["severity"] == "critical"] == []


def test_three_forms_of_one_intent_have_equal_facts_and_verdicts(tmp_path: Path) -> None:
    with serving("gateway", "--data-root", str(tmp_path), "--policy", "demo") as gateway:
        for message in ("hello", "", "x" * 400):
            found = []
            for form in FORMS:
                name = f"{form}-{len(message)}"
                assert knock(gateway.url, "/ingress/intent", body(form, name, message)).status == 202
                final(gateway.url, name)
                (decision,) = gateway.events(correlation_id=name, kind="DECISION")
                said = decision["payload"]
                found.append((said["facts"], said["facts_digest"], said["result"], said["reason_codes"]))
            assert found[0] == found[1] == found[2] and found[0][2] == ("DENY" if len(message) > 280 else "ALLOW")


# Ids are texts: they mean nothing to a path, a query, a page or a shell.
IDS = (
    "a/b", "x/timeline", "timeline", "/", "a//b", "..", ".", "%2F", "?q=1", "#f", "a b", "a+b", "a;b&c=d", "-1", "a\\b",
    "'\"<script>", "Grüße", "\N{PILE OF POO}", "x" * 128,
)  # fmt: skip


def test_whatever_id_is_accepted_is_found_again(tmp_path: Path) -> None:
    with (
        serving("gateway", "--data-root", str(tmp_path)) as gateway,
        serving("observer", "--gateway", gateway.url) as observer,
    ):
        for name in IDS:
            named = {"thread_id": name, "turn_id": name, "correlation_id": name, "actor": name}
            body = {"intent_type": "chat.message", "payload": {"message": name}, **named}
            assert knock(gateway.url, "/ingress/intent", body).status == 202, name
        until(lambda: observer.read("/status")["last_index"] == 3 * len(IDS) - 1)
        for name in IDS:
            quoted = quote(name, safe="")
            timeline = knock(gateway.url, f"/threads/{quoted}/timeline").value
            assert (timeline["thread_id"], len(timeline["turns"])) == (name, 1)
            assert knock(gateway.url, f"/status?correlation_id={quoted}").value["state"] == "EXECUTED"
            assert knock(gateway.url, f"/snapshot?thread_id={quoted}").value["matched"] == 3
            assert knock(observer.url, f"/threads/{quoted}").value["thread"]["thread_id"] == name
            shown = knock(observer.url, f"/events?thread_id={quoted}&turn_id={quoted}").value
            assert [event["kind"] for event in shown["events"]] == KINDS
