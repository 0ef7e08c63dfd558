"""The gateway's application: its routes, each with what it takes and answers, behind the guards.

What an intent means, whether it is allowed and what came of it is not known here: admission judges bodies, walkers
govern, readers read. These functions carry from one to the other, and wait no longer than they may.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from omnibachi_model.boundary_ports import Governed, Ledger
from omnibachi_model.decisions import EMPTY, ENVELOPE, FINAL, PROVIDER_ERRORS, next_state, said
from omnibachi_model.diagnostics import Refused, Trouble

from . import reading
from .admission import LARGEST_BODY, Admitted, admit
from .answers import encoded, http_error, refused, refused_for, told
from .drawn_ids import Draws
from .gateway_schemas import operations_of
from .guards import BODY_SECONDS, MOST_HEADERS, READ, Guards, Identify, body_of, cut
from .log_lines import Lines
from .openapi import document
from .queries import as_served, query_of
from .reading import Readers
from .reasons import REASONS, Finding
from .request_schemas import FORMS, LARGEST_MESSAGE, Schema
from .tailing import BEHIND, HEADERS, MOST_TAILS, Tails
from .tokens import LOCAL
from .writing import Walkers

RUN_SECONDS = 0.25  # that an answer waits for its run to end
_AGAIN_SECONDS = 0.02
_LARGE = 16 * 1024  # bytes of a body
# What the ledger refused, in words, and the field of the body that it is about.
_REFUSALS = {
    "admission.correlation_conflict": ("this correlation is another request's", "correlation_id"),
    "admission.turn_conflict": ("this turn is another correlation's", "turn_id"),
    "admission.invalid_parent": ("the parent is no turn of this thread", "parent_turn_id"),
    "admission.invalid_field": ("the gateway's workflow takes no such intent", ""),
    "store.unavailable": ("the ledger takes no events now", ""),
}


@dataclass(frozen=True, slots=True)
class About:
    """What a gateway says of itself: `policy` is {name, id, version, digest}, `providers` are models by name."""

    version: str
    snapshot: str
    policy: dict[str, Any]
    provider: str
    model_id: str
    providers: dict[str, list[str]]
    intent_types: Mapping[str, Schema]  # the schema of the payload of each


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the routes reach."""

    about: About
    walkers: Walkers
    readers: Readers
    tails: Tails
    draw_run_id: Callable[[], str]


def gateway_app(gateway: Gateway, *, tokens: Identify | None, lines: Lines) -> Starlette:
    """Return the application of a gateway; without `tokens` the local caller is who asks."""
    operations = operations_of(gateway.about.intent_types)
    routes = _Routes(gateway, orjson.dumps(document("OmniBachi gateway", gateway.about.version, operations)))
    roles = {item.path: item.role for item in operations}
    guards = Middleware(
        Guards, role_of=lambda _, path: roles.get(path, READ), tokens=tokens, local=dict(LOCAL), lines=lines
    )
    app = Starlette(
        routes=[
            Route(item.path, as_served(getattr(routes, item.name), item.query), methods=[item.method])
            for item in operations
        ],
        exception_handlers={HTTPException: http_error},
        middleware=[guards],
    )
    app.router.redirect_slashes = False
    return app


def capabilities_of(gateway: Gateway) -> dict[str, Any]:
    """Return what a gateway accepts and may answer, as its own tables have it."""
    about = gateway.about
    return {
        "service": "gateway",
        "version": about.version,
        "forms": list(FORMS),
        "intent_types": list(about.intent_types),
        "providers": about.providers,
        "limits": {
            "header_bytes": MOST_HEADERS, "body_bytes": LARGEST_BODY, "body_seconds": int(BODY_SECONDS),
            "message_bytes": LARGEST_MESSAGE, "page_events": reading.MOST, "queue": gateway.walkers.limit,
            "tails": MOST_TAILS, "tail_behind_events": BEHIND,
        },
        "policy": about.policy,
        "reason_codes": {reason: {"status": status, "code": code} for reason, (status, code) in REASONS.items()},
        "error_codes": {
            code: {"status_codes": list(statuses), "responsibility": whose, "retryable": again}
            for code, (statuses, whose, again) in PROVIDER_ERRORS.items()
        },
    }  # fmt: skip


class _Routes:
    """One method for each operation, by its name."""

    def __init__(self, gateway: Gateway, openapi: bytes) -> None:
        self._gateway = gateway
        self._openapi = openapi
        self._draws = Draws()
        self._bad: int | None = None  # the first event that does not hold
        self._judging = asyncio.Semaphore(1)

    async def post_intent(self, request: Request) -> Response:
        about, scope = self._gateway.about, request.scope
        try:
            body = await body_of(request)
        except TimeoutError:
            cut(scope)
            return Response(status_code=408)
        if isinstance(body, Finding):
            return refused(scope, [body], {"connection": "close"})
        judge = functools.partial(
            admit, body, request.headers.get("content-type"), scope["state"]["identity"],
            intent_types=about.intent_types,
        )  # fmt: skip
        if len(body) <= _LARGE:
            admitted = judge(draw=self._correlation)
        else:
            # Judging it may take a while, in which others shall be answered; so one of these at a time.
            async with self._judging:
                admitted = await asyncio.to_thread(judge, draw=lambda: f"c-{os.urandom(16).hex()}")
        if isinstance(admitted, list):
            return refused(scope, admitted)
        scope["state"]["correlation_id"] = admitted.anchors["correlation_id"]
        return await _governed(self._gateway, scope, admitted)

    async def snapshot(self, request: Request) -> Response:
        query = _query(request, reading.SNAPSHOT)
        if isinstance(query, Response):
            return query
        if "offset" in query and "after" in query:
            return _misasked(request, "`offset` and `after` do not stand together", "/after")

        def read(ledger: Ledger) -> bytes:
            return orjson.dumps(
                ledger.page(
                    reading.filters_of(query), limit=query.get("limit", reading.USUAL), offset=query.get("offset"),
                    after=query.get("after"),
                )
            )  # fmt: skip

        return await self._read(request, read)

    async def status(self, request: Request) -> Response:
        query = _query(request, reading.STATUS)
        if isinstance(query, Response):
            return query
        if "correlation_id" not in query:
            return await self._read(request, lambda ledger: orjson.dumps(self._summary(ledger)))

        def read(ledger: Ledger) -> bytes | None:
            found = ledger.correlation(query["correlation_id"])
            return None if found is None else orjson.dumps(found)

        return await self._read(request, read)

    async def timeline(self, request: Request) -> Response:
        query = _query(request, reading.TIMELINE)
        if isinstance(query, Response):
            return query
        thread, payloads = request.path_params["thread_id"], query.get("include_payload") == "1"
        if not reading.is_id(thread):
            return told({"thread_id": thread, "turns": []})  # Nobody has such an id, and no database is asked for it.
        return await self._read(request, lambda ledger: orjson.dumps(ledger.timeline(thread, payloads=payloads)))

    async def tail(self, request: Request) -> ASGIApp:
        query = _query(request, reading.TAIL)
        if isinstance(query, Response):
            return query
        given = request.headers.get("last-event-id")
        if given:
            last = query_of(b"since=" + given.encode("latin-1"), reading.TAIL)
            if isinstance(last, list):
                return _misasked(request, "`Last-Event-ID` must be the id of an event", "/Last-Event-ID")
            query["since"] = last["since"]
        if request.method == "HEAD":
            return Response(headers={name.decode(): value.decode() for name, value in HEADERS})
        if not self._gateway.tails.free():
            return refused_for(request.scope, "queue.full", f"there are {MOST_TAILS} tails already")
        since, follow, filters = query.get("since", -1), query.get("follow") != "0", reading.filters_of(query)

        async def send_tail(scope: Scope, receive: Receive, send: Send) -> None:
            await self._gateway.tails.send(scope, receive, send, since, filters, follow=follow)

        return send_tail

    async def health(self, request: Request) -> Response:
        if self._gateway.walkers.takes():
            return told({"status": "ok"})
        return refused_for(request.scope, "store.unavailable", "no work is taken")

    async def capabilities(self, request: Request) -> Response:
        return told(capabilities_of(self._gateway))

    async def openapi(self, request: Request) -> Response:
        return encoded(self._openapi)

    def _correlation(self) -> str:
        return f"c-{self._draws.hex(16)}"

    async def _read(self, request: Request, read: Callable[[Ledger], bytes | None]) -> Response:
        try:
            data = await self._gateway.readers.ask(read)
        except Trouble as trouble:
            return _unavailable(request.scope, trouble.diagnostic.code)
        if data is None:
            return refused_for(request.scope, "transport.not_found", "no correlation has this id")
        return encoded(data)

    def _summary(self, ledger: Ledger) -> dict[str, Any]:
        about, walkers, found = self._gateway.about, self._gateway.walkers, ledger.status()
        heads, note = found["ledger"], ""
        if self._bad is not None:
            heads.update(health="suspect", first_bad_index=self._bad)
        if heads["health"] != "ok":
            # Each handle looks at the ledger when it is opened; what one of them found holds for all.
            self._bad, walkers.suspect = heads["first_bad_index"], True
            note = f"event {heads['first_bad_index']} does not hold: intents are refused, reads go on"
        elif walkers.suspect:
            heads["health"] = "suspect"
            note = "the ledger does not hold, or departs from its checkpoint: intents are refused, reads go on"
        return {
            "service": "gateway",
            "version": about.version,
            "snapshot": about.snapshot,
            "policy": about.policy,
            "provider": about.provider,
            "model_id": about.model_id,
            **found,
            "queue": {"depth": walkers.depth, "limit": walkers.limit},
            "t_index": heads["length"] - 1,
            "note": note,
        }


async def _governed(gateway: Gateway, scope: Scope, admitted: Admitted) -> Response:
    """Govern an intent and say what became of it, or, where that takes longer, that it is recorded."""
    if gateway.walkers.suspect:
        return _unavailable(scope, "OB820")
    run_id = gateway.draw_run_id()
    future = gateway.walkers.govern((admitted.anchors, admitted.intent, admitted.identity, run_id))
    if future is None:
        full = refused_for(scope, "queue.full", f"{gateway.walkers.limit} intents are in hand already")
        return await _told(gateway, admitted, run_id) or full  # A repetition appends nothing, and needs no slot.
    waited = asyncio.ensure_future(asyncio.wrap_future(future))
    done, _ = await asyncio.wait({waited}, timeout=RUN_SECONDS)
    pause = _AGAIN_SECONDS
    while not done:
        # Its INTENT may be there, which is all that the answer needs.
        answer = await _told(gateway, admitted, run_id)
        if answer is not None:
            return answer
        done, _ = await asyncio.wait({waited}, timeout=pause)
        pause = min(pause * 2, RUN_SECONDS)
    try:
        found: Governed = waited.result()
    except Trouble as trouble:
        return _unavailable(scope, trouble.diagnostic.code)
    except (Refused, asyncio.CancelledError):
        return _unavailable(scope, None)
    if found.index is None or found.state is None:
        return _refused(scope, admitted, found)
    return _accepted(admitted, found.index, found.state, replayed=found.replayed)


async def _told(gateway: Gateway, admitted: Admitted, run_id: str) -> Response | None:
    """Say what the ledger knows of this very intent; None where it is not there: what another sent under its id is not
    it."""
    try:
        index, state, by = await gateway.readers.ask(lambda ledger: _recorded(ledger, admitted))
    except Trouble:
        return None
    return None if index is None else _accepted(admitted, index, state, replayed=by != run_id)


def _recorded(ledger: Ledger, admitted: Admitted) -> tuple[int | None, str, str]:
    """Return the index of this very intent in the ledger, None where it is not there, its state, and its run."""
    anchors = admitted.anchors
    found = ledger.page({"correlation_id": anchors["correlation_id"]}, limit=3, after=-1)["events"]
    envelope = {name: value for name, value in admitted.intent.items() if name != "payload"}
    payload = {**admitted.intent["payload"], ENVELOPE: {**envelope, "identity": admitted.identity}}
    if not found or said(found[0]) != said({**anchors, "payload": payload}):
        return None, EMPTY, ""
    ledger.flush()
    state = EMPTY
    for event in found:
        state = next_state(state, event["kind"], event["payload"]) or state
    return found[0]["index"], state, str(found[0]["obs"].get("trace_id", ""))


def _accepted(admitted: Admitted, index: int, state: str, *, replayed: bool) -> Response:
    queued = state not in FINAL
    shown = {name: admitted.anchors[name] for name in ("stream_id", "correlation_id", "thread_id", "turn_id")}
    return told(
        {"accepted": True, **shown, "index": index, "queued": queued, "replayed": replayed, "state": state}, 202
    )


def _refused(scope: Scope, admitted: Admitted, found: Governed) -> Response:
    reason = found.refused or "store.unavailable"
    detail, field = _REFUSALS[reason]
    above = "/payload" if admitted.intent["form"] != "flat" and field != "correlation_id" else ""
    return refused_for(scope, reason, detail, f"{above}/{field}" if field else "")


def _unavailable(scope: Scope, code: str | None) -> Response:
    """Say that the ledger cannot be reached; why is for the log, where a code says it."""
    scope["state"]["trouble"] = code
    return refused_for(scope, "store.unavailable", _REFUSALS["store.unavailable"][0])


def _query(request: Request, schemas: Mapping[str, Any]) -> dict[str, Any] | Response:
    found = query_of(request.scope["query_string"], schemas)
    return refused(request.scope, found) if isinstance(found, list) else found


def _misasked(request: Request, detail: str, pointer: str) -> Response:
    return refused_for(request.scope, "transport.invalid_query", detail, pointer)
