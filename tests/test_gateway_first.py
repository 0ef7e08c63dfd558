"""Of requests for one intent, the one whose run wrote it is told that it is new, whichever came or ends first."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from governing import LEDGER, gateway
from knocking import flat
from model_house import ModelHouse
from omnibachi.clocks import Stamps, SystemClock, SystemEntropy
from omnibachi_ledger import open_root
from omnibachi_transport.gateway import About, Gateway, gateway_app
from omnibachi_transport.log_lines import Lines
from omnibachi_transport.reading import Readers
from omnibachi_transport.tailing import Tails
from omnibachi_transport.writing import Walkers
from serving import SECONDS, until


class Held:
    """A gateway that holds the first intent of all back until another is at the provider."""

    def __init__(self, door: Any, order: list[str], house: ModelHouse) -> None:
        self._door, self._order, self._house = door, order, house

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *why: object) -> None:
        self._door.__exit__(*why)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._door, name)

    def govern(self, anchors: Any, intent: Any, identity: Any, run_id: str) -> Any:
        self._order.append(run_id)
        if len(self._order) == 1:
            until(lambda: self._house.asked)
        return self._door.govern(anchors, intent, identity, run_id)


@pytest.mark.parametrize("released", [False, True], ids=["answered while it runs", "answered when it has ended"])
def test_who_came_first_and_wrote_second_is_the_repetition(tmp_path: Path, released: bool) -> None:
    order: list[str] = []
    lines, root = Lines(None), str(tmp_path)

    @contextlib.contextmanager
    def ledger() -> Iterator[Any]:
        with open_root(root) as opened:
            yield opened.decisions(LEDGER)

    with ModelHouse() as house, gateway(root, provider="openai", model="late", provider_url=house.base) as door:
        readers = Readers(ledger)
        walkers = Walkers(lambda: Held(door.beside(), order, house), lines, limit=4)
        walkers.start()
        about = About("0", "s", {}, "openai", "late", {}, door.intent_types())
        stamps = Stamps(SystemClock(), SystemEntropy())
        app = gateway_app(
            Gateway(about, walkers, readers, Tails(ledger, readers, lines), stamps.draw), tokens=None, lines=lines
        )
        body = json.dumps(flat("once"))

        async def both() -> list[Any]:
            local = httpx2.ASGITransport(app, client=("127.0.0.1", 1))
            async with httpx2.AsyncClient(transport=local, base_url="http://127.0.0.1") as client:
                sent = {"headers": {"content-type": "application/json"}, "content": body, "timeout": SECONDS}
                first = asyncio.ensure_future(client.post("/ingress/intent", **sent))
                while not order and not first.done():
                    await asyncio.sleep(0.01)
                second = asyncio.ensure_future(client.post("/ingress/intent", **sent))
                return [((await item).status_code, (await item).json()) for item in (first, second)]

        with contextlib.ExitStack() as stack:
            stack.callback(readers.close)
            stack.callback(house.release.set)
            if released:
                threading.Thread(target=lambda: (until(lambda: house.asked), house.release.set()), daemon=True).start()
            first, second = asyncio.run(both())
        assert {status for status, _ in (first, second)} == {202}
        assert [(value["replayed"], value["index"]) for _, value in (first, second)] == [(True, 0), (False, 0)]
        walkers.close(SECONDS)
        assert len(house.asked) == 1
