"""A ledger of decisions for tests: stories of correlations, appended one event a transaction, and what readers see."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from omnibachi_ledger import Ledger
from omnibachi_ledger.decisions.appending import DecisionStore
from omnibachi_model.decisions import ALLOW, DECISION, DENY, EXECUTION, INTENT
from omnibachi_model.digests import digest, encode

LEDGER = "dbl::ST_LEDGER_V0"
OTHER = "shop::ST_OTHER_V0"  # another ledger of the same data root
SEALED = encode({
    "format": "omnibachi.workflow/1", "stores": {LEDGER: {"keeps": "decisions"}, OTHER: {"keeps": "decisions"}},
})  # fmt: skip
AT = {"at": "2026-01-31T12:00:00.000Z"}
_RUNS = itertools.count()


def anchors(number: int | str, **others: Any) -> dict[str, Any]:
    """Return the anchors of a correlation."""
    return {
        "stream_id": "default", "lane": "user_chat", "thread_id": "thread", "turn_id": f"turn-{number}",
        "parent_turn_id": None, "correlation_id": f"c-{number}", "intent_type": "chat.message", **others,
    }  # fmt: skip


def asked(text: str = "hello", *, form: str = "flat", principal: str = "local", **more: Any) -> dict[str, Any]:
    """Return the payload of an INTENT."""
    return {"message": text, "_envelope": {"form": form, "identity": {"principal": principal}, **more}}


def decided(result: str = ALLOW) -> dict[str, Any]:
    """Return the payload of a DECISION."""
    return {"decision": result, "result": result, "reason_codes": [result.lower()]}


def done(status: str = "ok") -> dict[str, Any]:
    """Return the payload of an EXECUTION."""
    return (
        {"status": "ok", "output_text": "echo"} if status == "ok" else {"status": status, "error": {"code": "timeout"}}
    )


def append(
    ledger: Ledger, kind: str, where: Mapping[str, Any], payload: Mapping[str, Any], store: str = LEDGER
) -> tuple[str, Any]:
    """Append one event by a run of its own, with its receipt, as an effect does."""
    run = f"r{id(ledger)}-{next(_RUNS)}"
    journal = ledger.journal(
        run, workflow="dbl::WF_X_V0", workflow_digest=digest(SEALED), sealed=SEALED, seal=None,
        payload_digest=digest(b"{}"), started_at="2026-01-31T12:00:00.000Z",
    )  # fmt: skip
    journal.begin()
    try:
        found = within(journal.store(store), kind, where, payload)
        journal.receipt("node", f"dbl::CS_LEDGER_V0.APPEND_{kind}", found[0])
        journal.finish("done", "COMPLETED", digest(b""))
        journal.commit()
    except BaseException:
        journal.rollback()
        raise
    return found


def within(store: DecisionStore, kind: str, where: Mapping[str, Any], payload: Mapping[str, Any]) -> tuple[str, Any]:
    """Append one event in the transaction that is open."""
    if kind == INTENT:
        return store.append_intent(where, "user", payload, AT)
    return (store.append_decision if kind == DECISION else store.append_execution)(where, payload, AT)


def tell(ledger: Ledger, number: int | str, ending: str = "ok", **others: Any) -> list[dict[str, Any]]:
    """Append a whole story: `ok`, `error`, `denied`, or one that stops at `asked` or `allowed`."""
    where = anchors(number, **others)
    steps = [(INTENT, asked(f"message {number}"))]
    if ending != "asked":
        steps.append((DECISION, decided(DENY if ending == "denied" else ALLOW)))
    if ending in ("ok", "error"):
        steps.append((EXECUTION, done(ending)))
    events = []
    for kind, payload in steps:
        outcome, event = append(ledger, kind, where, payload)
        assert outcome == "SUCCESS", (kind, outcome, event)
        events.append(event)
    return events


def deny_many(ledger: Ledger, count: int) -> None:
    """Append so many denied correlations in one transaction."""
    held = ledger.journal(
        "many", workflow="dbl::WF_X_V0", workflow_digest=digest(SEALED), seal=None, payload_digest="p",
        sealed=SEALED, started_at="2026-01-31T12:00:00.000Z",
    )  # fmt: skip
    held.begin()
    store = held.store(LEDGER)
    for number in range(count):
        store.append_intent(anchors(number), "user", asked(), {})
        store.append_decision(anchors(number), decided("DENY"), {})
    held.receipt("node", "x", "SUCCESS")
    held.commit()


def everything(ledger: Ledger) -> list[dict[str, Any]]:
    """Return all events, page by page."""
    return list(_everything(ledger))


def _everything(ledger: Ledger) -> Iterator[dict[str, Any]]:
    offset: int | None = 0
    while offset is not None:
        page = ledger.decisions(LEDGER).page(limit=7, offset=offset)
        yield from page["events"]
        offset = page["next_offset"]
