"""The observer's application: its routes, each with what it takes and answers, behind the guards.

All that it shows is asked of a projection in the event loop, where nothing interrupts it. It only ever reads the
gateway, and the one thing that somebody may send it, a page of events, is verified as the gateway's own are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from omnibachi_model.boundary_ports import Event, Projection
from omnibachi_model.decisions import INTENT, digest_of_event
from omnibachi_model.values import Outside, parse

from . import observer_schemas as schemas
from .admission import judge_head
from .answers import encoded, http_error, refused, refused_for, told
from .clients import Source
from .following import Follower
from .gateway_schemas import TEXT
from .guards import INGEST, MOST_BODY, READ, Guards, Identify, body_of, cut
from .live import EVENT_STREAM, HEADERS, MOST_WATCHERS, Recent, Watchers
from .log_lines import Lines
from .openapi import Operation, document
from .page_routes import PICTURE_HEADERS, page_routes
from .queries import as_served, query_of
from .reasons import Finding
from .remembering import remember
from .strict_json import MALFORMED, reason_of
from .tokens import LOCAL
from .whole_answers import Unanswered

SVG = "image/svg+xml"
MOST_PICTURES = 100  # that are kept; a workflow has few paths
_INGESTING = {"mismatch": "ingest.unverifiable", "gap": "ingest.gap", "rewritten": "ingest.conflict"}

OPERATIONS = (
    Operation("GET", "/status", "status", "The fold in numbers.", {200: schemas.STATUS}),
    Operation(
        "GET", "/threads", "threads", "Threads, those of the latest events first.", {200: schemas.THREADS}, (422,),
        query=schemas.THREADS_QUERY,
    ),
    Operation(
        "GET", "/threads/{thread_id:path}", "thread", "A thread and its turns.", {200: schemas.ONE_THREAD}, (404, 422),
        query=schemas.THREAD_QUERY, path_parameters={"thread_id": TEXT},
    ),
    Operation("GET", "/signals", "signals", "What people should look at, the worst first.", {200: schemas.SIGNALS}),
    Operation("GET", "/signals/rules", "rules", "When which signal is raised.", {200: schemas.RULES}),
    Operation(
        "GET", "/events", "events", "The verified events of a turn.", {200: schemas.EVENTS}, (404, 422, 503),
        query=schemas.EVENTS_QUERY,
    ),
    Operation(
        "GET", "/live", "live", "That something has changed, as server-sent events.", {200: schemas.STREAM}, (503,),
        media_type=EVENT_STREAM,
    ),
    Operation(
        "GET", "/picture", "picture", "The gateway's workflow, with the path of a correlation.", {200: schemas.PICTURE},
        (404, 422, 503), query=schemas.PICTURE_QUERY, media_type=SVG,
    ),
    Operation(
        "POST", "/ingest", "ingest", "Fold a page of the ledger.", {200: schemas.INGESTED}, (400, 409, 415),
        body=schemas.INGEST, role=INGEST,
    ),
    Operation("GET", "/healthz", "health", "Whether it follows.", {200: schemas.HEALTH}, (503,), role=None),
    Operation("GET", "/openapi.json", "openapi", "This document.", {200: {"type": "object"}}),
)  # fmt: skip


class Observer:
    """A projection, what feeds it from the gateway at a URL, and who watches it.

    `keep` writes what `said` tells of the fold, in a thread, every now and then. `start` and `stop` are called in the
    event loop.
    """

    def __init__(
        self, projection: Projection, url: str, lines: Lines, *, token: str | None = None,
        said: Callable[[], Any] | None = None, keep: Callable[[Any], None] | None = None,
    ) -> None:  # fmt: skip
        self.projection = projection
        self.source = Source(url, token=token)
        self.recent = Recent()
        self.watchers = Watchers(lambda: projection.last_index, lambda: projection.severities(now_ms()))
        self.follower = Follower(self.source, projection, lines, self.told)
        self._said, self._keep = said, keep
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to follow the gateway, and to remember."""
        self.follower.start()
        if self._said is not None and self._keep is not None:
            job = remember(lambda: self.projection.last_index, self._said, self._keep)
            self._tasks.append(asyncio.get_running_loop().create_task(job, name="memory"))

    def stop(self) -> None:
        """End, and let whoever watches go."""
        self.watchers.stop()
        for task in self._tasks:
            task.cancel()
        self._tasks.append(asyncio.get_running_loop().create_task(self.follower.stop()))

    def told(self, events: Sequence[Event]) -> None:
        """Keep what was folded, and tell whoever watches."""
        self.recent.add(list(events))
        self.watchers.told(events)

    async def events(self, correlation_id: str) -> tuple[list[Event], str]:
        """Return the events of a correlation, none where it is unknown, and where they are from.

        Those of the gateway count only where they are the ones that were folded. Raises Unanswered.
        """
        found = self.recent.of(correlation_id)
        if found and found[0]["kind"] == INTENT:  # Where the oldest is kept, all are.
            return found, "memory"
        page = await self.source.page(10, correlation_id=correlation_id, after=-1)
        held = self.projection.last_index
        return [event for event in page["events"] if _is_held(event, held, self.projection)], "gateway"


def observer_app(observer: Observer, version: str, *, tokens: Identify | None, lines: Lines) -> Starlette:
    """Return the application of an observer; without `tokens` the local caller is who asks, and may not ingest."""
    routes = _Routes(observer, orjson.dumps(document("OmniBachi observer", version, OPERATIONS)))
    pages = page_routes()
    roles: dict[tuple[str, str], str | None] = {(item.method, item.path): item.role for item in OPERATIONS}
    roles.update((("GET", route.path), None) for route in pages)  # They hold no data.

    def role_of(method: str, path: str) -> str | None:
        return roles.get(("GET" if method == "HEAD" else method, path), READ)

    guards = Middleware(Guards, role_of=role_of, tokens=tokens, local=dict(LOCAL), lines=lines)
    app = Starlette(
        routes=[
            *pages,
            *(
                Route(item.path, as_served(getattr(routes, item.name), item.query), methods=[item.method])
                for item in OPERATIONS
            ),
        ],
        exception_handlers={HTTPException: http_error},
        middleware=[guards],
    )
    app.router.redirect_slashes = False
    return app


def now_ms() -> int:
    """Return the machine's time in ms since 1970."""
    return time.time_ns() // 1_000_000


class _Routes:
    """One method for each operation, by its name."""

    def __init__(self, observer: Observer, openapi: bytes) -> None:
        self._observer = observer
        self._projection = observer.projection
        self._openapi = openapi
        self._pictures: dict[Hashable, bytes] = {}

    async def status(self, _: Request) -> Response:
        return _observed(self._projection.status(now_ms()))

    async def threads(self, request: Request) -> Response:
        query = query_of(request.scope["query_string"], schemas.THREADS_QUERY)
        if isinstance(query, list):
            return refused(request.scope, query)
        limit, offset = query.get("limit", schemas.USUAL_THREADS), query.get("offset", 0)
        total = self._projection.status(now_ms())["thread_count"]
        following = offset + limit if offset + limit < total else None
        found = self._projection.threads(limit, offset)
        return _observed({"threads": found, "total": total, "limit": limit, "offset": offset, "next_offset": following})

    async def thread(self, request: Request) -> Response:
        query = query_of(request.scope["query_string"], schemas.THREAD_QUERY)
        if isinstance(query, list):
            return refused(request.scope, query)
        found = self._projection.thread(request.path_params["thread_id"], query.get("limit"), query.get("offset"))
        return _unknown(request, "no thread has this id") if found is None else _observed(found)

    async def signals(self, _: Request) -> Response:
        return _observed({"signals": self._projection.signals(now_ms())})

    async def rules(self, _: Request) -> Response:
        return _observed({"rules": self._projection.rules()})

    async def events(self, request: Request) -> Response:
        query = query_of(request.scope["query_string"], schemas.EVENTS_QUERY)
        if isinstance(query, list):
            return refused(request.scope, query)
        if missing := [name for name in schemas.EVENTS_QUERY if name not in query]:
            return _misasked(request, missing[0])
        found: list[Event] = []
        source = "memory"
        known = self._projection.correlations(query["thread_id"], query["turn_id"])
        if not known:
            return _unknown(request, "no turn of this thread has this id")
        try:
            for correlation in known:
                events, source = await self._observer.events(correlation)
                found += events
        except Unanswered:
            return _silent(request)
        return _observed({"events": found, "source": source})

    async def live(self, request: Request) -> Response:
        watchers = self._observer.watchers
        if request.method == "HEAD":
            return Response(media_type=EVENT_STREAM, headers=HEADERS)
        if not watchers.free():
            return refused_for(request.scope, "queue.full", f"{MOST_WATCHERS} watch already")
        return StreamingResponse(watchers.stream(), media_type=EVENT_STREAM, headers=HEADERS)

    async def picture(self, request: Request) -> Response:
        query = query_of(request.scope["query_string"], schemas.PICTURE_QUERY)
        if isinstance(query, list):
            return refused(request.scope, query)
        events: list[Event] = []
        if "correlation_id" in query:
            try:
                events, _ = await self._observer.events(query["correlation_id"])
            except Unanswered:
                return _silent(request)
            if not events:
                return _unknown(request, "no correlation has this id")
        path = self._projection.path(events)
        drawn = self._pictures.get(path) or await asyncio.to_thread(self._projection.draw, path)
        if drawn is None:
            return refused_for(request.scope, "store.unavailable", "the picture cannot be drawn here")
        if len(self._pictures) < MOST_PICTURES:
            self._pictures[path] = drawn
        return Response(drawn, media_type=SVG, headers=PICTURE_HEADERS)

    async def ingest(self, request: Request) -> Response:
        try:
            body = await body_of(request)
        except TimeoutError:
            cut(request.scope)
            return Response(status_code=408)
        if isinstance(body, Finding):
            return refused(request.scope, [body], {"connection": "close"})
        page = _page_of(body, request.headers.get("content-type"))
        if isinstance(page, list):
            return refused(request.scope, page)
        fresh, stop = self._projection.ingest(page["events"])
        if stop is not None:
            return refused_for(request.scope, _INGESTING[stop.what], stop.why, "/events")
        self._observer.told(fresh)
        return _observed({"ingested": len(fresh), "total": self._projection.last_index + 1})

    async def health(self, request: Request) -> Response:
        if self._observer.follower.alive:
            return _observed({"status": "ok"})
        return refused_for(request.scope, "store.unavailable", "the gateway is not followed")

    async def openapi(self, _: Request) -> Response:
        return encoded(self._openapi)


def _page_of(body: bytes, media_type: str | None) -> Mapping[str, Any] | list[Finding]:
    """Read a page that somebody sent, or say what is wrong with it."""
    if found := judge_head(len(body), media_type):
        return found
    try:
        value = parse(body, limit=MOST_BODY)
    except Outside as outside:
        return [Finding(MALFORMED, f"the body is no strict JSON: {reason_of(outside)}")]
    if type(value) is not dict:
        return [Finding(MALFORMED, "the body is JSON, but no object")]
    if "events" not in value:
        return [Finding("admission.missing_field", "a page has `events`", "/events")]
    events = value["events"]
    if type(events) is not list or len(events) > schemas.MOST_INGESTED:
        about = f"`events` is a list of at most {schemas.MOST_INGESTED}"
        return [Finding("admission.invalid_field", about, "/events")]
    return value


def _is_held(event: Any, last: int, projection: Projection) -> bool:
    """Tell whether an event is one that was folded, by its digest made anew."""
    try:
        index = event["index"]
        return type(index) is int and 0 <= index <= last and projection.digest_at(index) == digest_of_event(event)[0]
    except (TypeError, KeyError):
        return False


def _observed(value: Mapping[str, Any]) -> Response:
    return told({"observer_version": schemas.VERSION, "normative": False, **value})


def _unknown(request: Request, detail: str) -> Response:
    return refused_for(request.scope, "transport.not_found", detail)


def _misasked(request: Request, name: str) -> Response:
    return refused_for(request.scope, "transport.invalid_query", f"`{name}` must be given", f"/{name}")


def _silent(request: Request) -> Response:
    return refused_for(request.scope, "store.unavailable", "the gateway, which has these events, does not answer")
