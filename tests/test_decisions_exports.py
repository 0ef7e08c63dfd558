"""The past stands in an export too: whatever is done to its bytes is found at its first bad event, here and by whoever
has Python alone; what was made anew as a whole is found by every checkpoint behind the change, and by no other."""

from __future__ import annotations

import io
import json
import random
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deciding import AT, LEDGER, anchors, asked, tell
from front_door import Call, call
from omnibachi_ledger import open_root
from omnibachi_ledger.decisions.checkpoints import checkpoint_of, departs
from omnibachi_ledger.decisions.verifying import Verdict, verify_export
from omnibachi_model.decisions import DECISION, EXECUTION, INTENT, ZERO, event_of, normative_digest
from omnibachi_model.digests import encode
from omnibachi_model.values import admit
from omnibachi_policy.again import Again
from retelling import export_of, retold
from thoroughness import THOROUGH

__all__ = ["call"]

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
alone: Callable[[list[str]], list[tuple[str, str]]] = runpy.run_path(str(ROOT / "examples/verify_decisions.py"))[
    "verify"
]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """Every kind of story, with a parent and another stream among them."""
    found = []
    with open_root(str(tmp_path_factory.mktemp("ledger"))) as ledger:
        for number, ending in enumerate(("ok", "denied", "error", "asked", "allowed")):
            more = {"parent_turn_id": "turn-0"} if number == 2 else {"stream_id": "other"} if number == 3 else {}
            found += tell(ledger, number, ending, **more)
    return found


def judged(data: bytes, length: int | None = None) -> Verdict:
    return verify_export(io.BytesIO(data), length)


def strange(data: bytes) -> int | None:
    """Return the first bad event as the stranger's verifier finds it; whatever breaks it is found too."""
    try:
        alone(data.decode().split("\n")[:-1])
    except SystemExit as ended:
        return int(str(ended.code).split()[1])
    except (ValueError, KeyError, TypeError, AttributeError):
        return -1
    return None


def test_a_flipped_bit_is_found_at_its_event(story: list[Json]) -> None:
    """Any bit of any byte of a line; where a line's end is flipped, the event before it runs on."""
    data = export_of(story)
    chance = random.Random(3)
    places = range(len(data)) if THOROUGH else sorted(chance.sample(range(len(data)), 600))
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << chance.randrange(8)
        index = data.count(b"\n", 0, place)
        assert judged(bytes(flipped)).first_bad_index == index, (place, flipped[place - 9 : place + 9])


def test_a_cut_at_any_byte_is_told_or_leaves_a_shorter_ledger(story: list[Json]) -> None:
    """That one holds in itself; a checkpoint of more than is left shows it."""
    data = export_of(story)
    ends = [index + 1 for index, byte in enumerate(data) if byte == 10]
    whole = judged(data, len(story))
    checkpoint = checkpoint_of(LEDGER, {"length": len(story), "v_digest": whole.fold.v_digest,
                                        "normative_head": whole.fold.normative_head}, "now")  # fmt: skip
    assert departs(whole, checkpoint) is None
    for place in {*ends[:-1], 0, *range(1, len(data), 1 if THOROUGH else 41)}:
        found = judged(data[:place], len(story))
        left = data.count(b"\n", 0, place)
        assert found.fold.length == left
        assert found.first_bad_index == (None if place in ends or place == 0 else left)
        assert departs(found, checkpoint) is not None


@pytest.mark.parametrize("seed", range(40 if THOROUGH else 8))
def test_what_was_left_out_put_in_swapped_or_replaced_is_found(story: list[Json], seed: int) -> None:
    """By both, at the same event; also an event that is whole in itself."""
    chance = random.Random(seed)
    lines = export_of(story).splitlines(keepends=True)
    for index in range(len(lines)):
        before = story[index - 1]["digest"] if index else ZERO
        forged = event_of(index, INTENT, anchors(f"new-{seed}"), "user", asked(), AT, before)
        line, other = encode(forged) + b"\n", chance.randrange(len(lines))
        low, high = sorted((index, other))
        swapped = [*lines]
        swapped[low], swapped[high] = swapped[high], swapped[low]
        last = index == len(lines) - 1
        cases = [
            ([*lines[:index], *lines[index + 1 :]], None if last else index),
            ([*lines[:index], line, *lines[index:]], index + 1),
            ([*lines[: index + 1], lines[index], *lines[index + 1 :]], index + 1),
            (swapped, None if low == high else low),
        ]  # fmt: skip
        # In the place of one that nothing of its story follows, only its successor's link tells.
        replaced = [*lines[:index], line, *lines[index + 1 :]]
        assert (
            judged(b"".join(replaced)).first_bad_index == strange(b"".join(replaced)) == (None if last else index + 1)
        )
        for changed, bad in cases:
            data = b"".join(changed)
            assert judged(data).first_bad_index == strange(data) == bad, (index, changed is swapped)


def change_of(kind: str) -> Callable[[Json], None]:
    """Return what changes what an event of a kind says, so that it is one still."""

    def change(event: Json) -> None:
        if kind == "obs":
            event["obs"] = {"at": "2000-01-01T00:00:00.000Z"}
        elif kind == "actor":
            event["actor"] = "somebody"
        elif event["kind"] == INTENT:
            event["payload"]["message"] = "something else"
        else:
            event["payload"]["more"] = "than was said"

    return change


@pytest.mark.parametrize("kind", [INTENT, DECISION, EXECUTION, "obs", "actor"])
def test_a_past_that_was_made_anew_is_found_by_every_checkpoint_behind_it(story: list[Json], kind: str) -> None:
    """Of the lengths before it all hold. The normative heads differ where an intent or a decision was changed only."""
    change = change_of(kind)
    wanted = {"obs": INTENT, "actor": INTENT}.get(kind, kind)
    for place in [event["index"] for event in story if event["kind"] == wanted]:
        new = retold(story, lambda event, place=place: change(event) if event["index"] == place else None)
        old_heads, new_heads = (alone([encode(event).decode() for event in ledger]) for ledger in (story, new))
        for length in range(len(story) + 1):
            found = judged(export_of(new), length)
            assert found.reason is None and found.then == new_heads[length]
            said = {"length": length, "v_digest": old_heads[length][0], "normative_head": old_heads[length][1]}
            assert (departs(found, checkpoint_of(LEDGER, said, "now")) is None) is (length <= place)
        same = kind in (EXECUTION, "obs")
        decided = any(event["kind"] == DECISION and event["correlation_id"] == story[place]["correlation_id"]
                      for event in story)  # fmt: skip
        assert (old_heads[-1][1] == new_heads[-1][1]) is (same or not decided)


def test_a_digest_that_was_made_up_is_no_digest(story: list[Json]) -> None:
    """An event whose own digest is right, over a normative digest or a canon_len that is another's."""
    for index, old in enumerate(story):
        for name, value in (
            ("normative_digest", ZERO),
            ("canon_len", old["canon_len"] + 1),
            ("is_authoritative", None),
        ):
            event = {**old, name: value}
            assert judged(export_of([*story[:index], event])).first_bad_index == index
        assert normative_digest(old) == old["normative_digest"]


def test_the_same_event_in_other_bytes_is_another_export(story: list[Json]) -> None:
    """Blanks, another order, an escape that is not needed, 1.0 for 1, a member twice: digests cover none of it."""
    lines = export_of(story).splitlines()
    for index, line in enumerate(lines):
        event = story[index]
        turned = json.dumps(dict(reversed(event.items())), ensure_ascii=False, separators=(",", ":"))
        member = b'"canon_len":%d' % event["canon_len"]
        for other in (
            line.replace(b":", b": ", 1), turned.encode(), line.replace(b"user_chat", b"\\u0075ser_chat"),
            line.replace(member, member + b".0"), line.replace(member, b"%b,%b" % (member, member)), b" " + line,
            line + b"\r",
        ):  # fmt: skip
            data = b"\n".join([*lines[:index], other, *lines[index + 1 :], b""])
            assert other != line and judged(data).first_bad_index == strange(data) == index, other


def test_a_checkpoint_is_of_both_heads(story: list[Json]) -> None:
    found = judged(export_of(story), 3)
    assert found.then is not None
    said = {"length": 3, "v_digest": found.then[0], "normative_head": found.then[1]}
    assert departs(found, checkpoint_of(LEDGER, said, "now")) is None
    for name in ("v_digest", "normative_head"):
        assert departs(found, checkpoint_of(LEDGER, {**said, name: ZERO}, "now")) == "its first 3 events were others"


def test_a_line_of_any_length_and_depth_is_judged_and_no_more(story: list[Json], call: Call, tmp_path: Path) -> None:
    """Whoever hands an export in decides what it holds; nothing of it breaks the reader."""
    good = export_of(story[:1])
    for bad in (b'{"actor":' + b"[" * 100_000, b'{"actor":"\xff"}\n', b'{"actor":1e999}\n', b"\n", b"null\n", b"\0\n",
                b'{"actor":' + b"1" * 5000 + b"}\n", b'{"actor":"\\ud800"}\n', b"{}" * 50_000 + b"\n"):  # fmt: skip
        (tmp_path / "bad.jsonl").write_bytes(good + bad)
        for command in ("verify", "replay"):
            said = call(command, "bad.jsonl", "--json")
            assert said.status == 4
            assert said.json()["ledgers"][0]["first_bad_index"] == 1


anything: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | st.floats(0.5, 9.5) | st.text("abc…/~", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", max_size=3), inner, max_size=3),
    max_leaves=6,
).map(admit)
CODES = st.sampled_from(["allow", "gateway.recovered", "policy.evaluation_error", "policy.unavailable"])
MEMBERS = (
    "reasons", "policy_id", "policy_version", "policy_digest", "snapshot", "facts", "facts_digest", "budget",
    "provider", "model_id", "more",
)  # fmt: skip
SAID = ("form", "inputs", "budget", "declared_tools", "tool_scope", "requested_model_id")


@settings(max_examples=150, deadline=None)
@given(
    said=st.dictionaries(st.sampled_from(SAID), anything), message=anything,
    identity=st.dictionaries(st.just("roles"), anything),
    decision=st.dictionaries(st.sampled_from(MEMBERS), anything), code=CODES, allow=st.booleans(), pack=anything,
)  # fmt: skip
def test_nothing_that_holds_breaks_a_replay(
    said: Json, message: Any, identity: Json, decision: Json, code: str, allow: bool, pack: Any
) -> None:
    """Whoever writes all digests anew may say anything in a payload: it differs, and nothing is raised. What allows is
    never taken as recorded."""
    result = "ALLOW" if allow else "DENY"
    made = {**decision, "decision": result, "result": result, "reason_codes": [code]}
    where, envelope = {**anchors(1), "kind": INTENT, "actor": "user", "obs": {}}, {**said, "identity": identity}
    ledger = retold([
        {**where, "payload": {"message": message, "_envelope": envelope}},
        {**where, "kind": DECISION, "actor": "policy", "payload": made},
    ])  # fmt: skip
    assert judged(export_of(ledger)).reason is None
    policy = {"address": "dbl::PL_X_V0", "digest": ZERO, "pack": pack}
    for again in (Again(lambda *_: None), Again(lambda *_: policy), Again(lambda *_: None, policy)):
        found = [item for event in ledger for item in again.take(event)]
        assert again.decisions == 1 and (found or again.kept or again.untold)
        assert not (allow and again.kept) and [item["field"] for item in found] == sorted(i["field"] for i in found)
