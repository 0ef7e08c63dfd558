"""Following a gateway that stalls, lies, forgets or talks nonsense: nothing is lost, nothing false is folded."""

from __future__ import annotations

import asyncio
import contextlib
import socketserver
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from observing import Event, ledger, page
from omnibachi_model.digests import encode
from omnibachi_observer.folding import Folds
from omnibachi_observer.views import Projected
from omnibachi_transport import clients, following
from omnibachi_transport.clients import Reader, Source
from omnibachi_transport.following import Follower
from omnibachi_transport.log_lines import Lines
from omnibachi_transport.whole_answers import Unanswered


class Made:
    """A gateway as a follower sees one: what it holds may be changed, its tail be deaf, dumb or cut."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.tail_is = "well"
        self.silent = False
        self.asked: list[str] = []
        self.late: asyncio.Event | None = None  # pages wait for it once they are made

    async def page(self, limit: int, **query: Any) -> dict[str, Any]:
        """Return a page."""
        self.asked.append(f"page {query['after']}")
        if self.silent:
            raise Unanswered("", "silent")
        found = page(self.events, query["after"], limit)
        if self.late is not None:
            await self.late.wait()
        await asyncio.sleep(0)
        return found

    async def tail(self, since: int) -> AsyncGenerator[list[Any]]:
        """Give what comes."""
        self.asked.append(f"tail {since}")
        if self.tail_is == "cut" or self.silent:
            raise Unanswered("", "cut")
        while self.tail_is == "deaf":
            await asyncio.sleep(0.01)
        yield []
        told = since + 1
        while self.tail_is in ("well", "dumb") and not self.silent:
            if self.tail_is == "well" and len(self.events) > told:
                yield self.events[told : told + 2]
                told = min(told + 2, len(self.events))
            await asyncio.sleep(0.002)

    async def aclose(self) -> None:
        """Close nothing."""


def followed(gateway: Made, do: Callable[[Folds, list[Event]], Awaitable[None]], folds: Folds | None = None) -> Folds:
    """Do something while a follower follows; what it was told is compared with what is held in the end."""
    folds, told = folds or Folds(), list[Event]()
    before = folds.event_count

    async def run() -> None:
        follower = Follower(gateway, Projected(folds, None), Lines(None), told.extend)  # type: ignore[arg-type]
        follower.start()
        assert follower.alive
        await do(folds, told)
        await follower.stop()
        assert not follower.alive

    asyncio.run(asyncio.wait_for(run(), 30))
    assert [event["index"] for event in told] == list(range(before, folds.event_count)), "each once, in order"
    return folds


async def until(true: Callable[[], Any]) -> None:
    while not true():
        await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.03)
    monkeypatch.setattr(following, "AT_ONCE", 7)
    monkeypatch.setattr(following, "FEW", 4)


ALL = ledger(*["ok", "denied", "error"] * 8)


@pytest.mark.parametrize("tail", ["well", "cut", "deaf", "dumb"])
def test_every_event_is_folded_whatever_the_tail_does(tail: str) -> None:
    """One that never begins is polled beside, one that ends is begun anew, one that lies still is left."""

    async def do(folds: Folds, _: list[Event]) -> None:
        gateway.tail_is = tail
        for count in (20, 21, 40, len(ALL)):
            gateway.events = ALL[:count]
            await until(lambda count=count: folds.event_count == count)
        assert folds.stopped is None
        if tail == "deaf":
            asked = len(gateway.asked)
            await until(lambda: len(gateway.asked) > asked + 3)
            assert set(gateway.asked[asked:]) == {f"page {len(ALL) - 2}"}, "the head alone is polled"

    gateway = Made(ALL[:9])
    assert followed(gateway, do).head == ALL[-1]["digest"]


def test_pages_come_one_after_the_other_and_no_event_twice_but_the_held_one() -> None:
    async def do(folds: Folds, _: list[Event]) -> None:
        await until(lambda: folds.event_count == 30)

    gateway = Made(ALL[:30])
    followed(gateway, do)
    assert gateway.asked[:6] == ["page -1", "page 6", "page 13", "page 20", "page 27", "tail 28"]


def test_what_is_wrong_in_the_past_stops_the_fold_and_is_over_when_it_is_right() -> None:
    async def do(folds: Folds, _: list[Event]) -> None:
        await until(lambda: folds.event_count == 30)
        spoilt = [dict(event) for event in ALL]
        spoilt[17]["lane"] = "night"
        gateway.events = spoilt
        await until(lambda: folds.stopped is not None)
        assert folds.stopped is not None and folds.stopped.at_index == 17
        held = folds.event_count
        asked = len(gateway.asked)
        await until(lambda: len(gateway.asked) > asked + 5)
        assert folds.event_count == held and "page 16" in gateway.asked[asked:]
        gateway.events = ALL
        await until(lambda: folds.event_count == len(ALL) and folds.stopped is None)

    gateway = Made(ALL[:30])
    followed(gateway, do)


@pytest.mark.parametrize(
    ("events", "what"), [(ledger(*["ok"] * 12), "rewritten"), (ALL[:5], "rewritten"), ([], "rewritten")]
)
def test_a_remembered_past_is_compared_first(events: list[Event], what: str) -> None:
    async def do(folds: Folds, told: list[Event]) -> None:
        await until(lambda: folds.stopped is not None)
        assert folds.stopped is not None and folds.stopped.what == what and told == []

    remembered = Folds()
    remembered.fold(ALL[:20])
    assert followed(Made(events), do, remembered).event_count == 20


def test_a_late_page_is_no_shorter_ledger() -> None:
    """A page that was made before the tail told of more tells an older length, and nothing is wrong with it."""

    async def do(folds: Folds, _: list[Event]) -> None:
        await until(lambda: folds.event_count == 10)
        gateway.late = asyncio.Event()
        asked = len(gateway.asked)
        await until(lambda: len(gateway.asked) > asked)
        gateway.events = ALL
        await until(lambda: folds.event_count == len(ALL))
        gateway.late.set()
        gateway.late = None
        asked = len(gateway.asked)

        def looked() -> bool:
            assert folds.stopped is None
            return len(gateway.asked) > asked + 3

        await until(looked)

    gateway = Made(ALL[:10])
    followed(gateway, do)


def test_silence_is_noted_and_survived() -> None:
    async def do(folds: Folds, _: list[Event]) -> None:
        await until(lambda: folds.event_count == 10)
        gateway.silent = True
        asked = len(gateway.asked)
        await until(lambda: len(gateway.asked) > asked + 5)
        answered = folds.answered_ms
        await asyncio.sleep(0.05)
        assert folds.answered_ms == answered
        gateway.silent, gateway.tail_is, gateway.events = False, "cut", ALL[:12]
        await until(lambda: folds.event_count == 12)
        assert folds.answered_ms != answered

    gateway = Made(ALL[:10])
    followed(gateway, do)


@contextlib.contextmanager
def saying(data: bytes) -> Iterator[str]:
    """A server that says the same bytes to whoever asks, and ends."""

    class Say(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            """Say it."""
            self.request.recv(65_536)
            with contextlib.suppress(OSError):
                self.request.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Say) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def http(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        status.encode(), kind.encode(), len(body), body,
    )  # fmt: skip


NONSENSE = [
    b"", b"nonsense\r\n\r\n", http(b""), http(b"{"), http(b"[]"), http(b"5"), http(b'{"events": []}'), http(b"\xff"),
    http(b'{"events": 5, "length": 5}'), http(b"{}", "500 No"), http(b'{"reason_code": "x"}', "401 No"),
    b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{}", http(b"{}", "302 Found\r\nlocation: http://127.0.0.1:1/"),
]  # fmt: skip


@pytest.mark.parametrize("data", NONSENSE)
def test_an_answer_that_is_no_page_is_none(data: bytes) -> None:
    with saying(data) as url:
        source = Source(url)

        async def ask() -> None:
            with pytest.raises(Unanswered):
                await source.page(5, after=-1)
            await source.aclose()

        asyncio.run(ask())


def test_answers_without_end_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "LARGEST", 1000)
    monkeypatch.setattr(clients, "LARGEST_VALUE", 1000)
    monkeypatch.setattr(clients, "LARGEST_FRAME", 1000)

    async def ask(url: str) -> None:
        source = Source(url)
        with pytest.raises(Unanswered, match="larger"):
            await source.page(5, after=-1)
        with pytest.raises(Unanswered, match="larger"):
            async for events in source.tail(-1):
                assert events == []
        await source.aclose()

    with saying(http(b"x" * 2000)) as url, Reader(url) as reader:
        asyncio.run(ask(url))
        with pytest.raises(Unanswered, match="larger"):
            reader.get("/status")


def test_a_tail_is_read_in_whatever_pieces_it_comes() -> None:
    frames = b"".join(b"id: %d\nevent: envelope\ndata: %b\n\n" % (event["index"], encode(event)) for event in ALL[:5])

    async def ask(url: str) -> list[Event]:
        found: list[Event] = []
        source = Source(url)
        async with contextlib.aclosing(source.tail(-1)) as tail:
            with pytest.raises(Unanswered):  # It is cut off at last.
                async for events in tail:
                    found += events
        await source.aclose()
        return found

    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (frames[:700], frames[700:701], frames[701:]))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    with saying(head + b"e\r\n: still here\n\n\r\n" + chunks) as url:
        assert asyncio.run(ask(url)) == ALL[:5]


def test_a_reader_quotes_paths_and_has_no_way_to_change_anything() -> None:
    with saying(http(b'{"a": 1.0}', "404 No")) as url, Reader(url, token="secret") as reader:
        assert reader.get("/threads/ü ?#", {"limit": "5"}) == (404, {"a": 1})
    for thing in (Reader, Source):
        public = {name for name in vars(thing) if not name.startswith("_")}
        assert public <= {"get", "page", "tail", "aclose"}
    with Reader("http://127.0.0.1:1") as reader, pytest.raises(Unanswered):
        reader.get("/status")
    with Reader("http://[") as reader, pytest.raises(Unanswered):
        reader.get("/status")
