"""The observer as a server: where the gateway stands and what was remembered in, a socket that answers out.

It begins before the gateway does and goes on when that has gone. Whatever becomes of it, no decision is another: it
sends the gateway nothing but GET, and keeps at most one file, in a data root of its own.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.hosts import read_url

from . import wiring
from .doors import listening_at, log_stream, needs_http, tell_ready
from .exits import FINDINGS
from .governing import GOVERN
from .observer_memory import Memory

if TYPE_CHECKING:
    from .wiring import Folds, Lines
    from .workspace import Workspace

GATEWAY = "http://127.0.0.1:8010"
TOKEN = "DBL_TOKEN"


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `omnibachi serve observer`; without a `data_root` nothing is remembered."""

    host: str = "127.0.0.1"
    port: int = 8020
    gateway: str = GATEWAY
    data_root: str | None = None
    token_file: str | None = None


def serve_observer(workspace: Workspace, asked: Asked, show: Callable[[Diagnostic], None]) -> str:
    """Serve until SIGINT or SIGTERM; return the address. `show` is told what is to be known, and hinders nothing.

    Raises Refused and Trouble where it cannot begin.
    """
    needs_http()
    with contextlib.ExitStack() as stack:
        # What is folded is kept, and has no cycles: looking for garbage among it takes long and finds none.
        stack.callback(gc.set_threshold, *gc.get_threshold())
        gc.set_threshold(100_000, 50, 1000)
        url = _url(asked.gateway)
        tokens = wiring.load_tokens(asked.token_file) if asked.token_file is not None else None
        memory = _memory(asked.data_root)
        listening = stack.enter_context(listening_at(asked.host, asked.port, tokens=tokens is not None))
        address = wiring.address_of(listening)
        folds = _recalled(memory, show)
        lines = wiring.Lines(log_stream())
        stack.callback(lines.close)
        projected = wiring.Projected(folds, _workflow(workspace, show))
        observer = wiring.Observer(
            projected, url, lines, token=os.environ.get(TOKEN) or None, said=folds.to_json,
            keep=None if memory is None else lambda said: _keep(memory, said, lines),
        )  # fmt: skip
        app = wiring.observer_app(observer, wiring.VERSION, tokens=tokens, lines=lines)

        def ready() -> None:
            observer.start()
            tell_ready("observer", address)

        wiring.serve(app, listening, ready=ready, stopping=observer.stop)
        if memory is not None:
            _keep(memory, folds.to_json(), lines)
        lines.say("stopped", index=folds.last_index)
        return address


def _url(given: str) -> str:
    """Return where the gateway stands; raises Refused (OB952)."""
    place = read_url(given)
    if place is None or "?" in place.target:
        raise Refused([Diagnostic("OB952", f"`{given[:200]}` is no URL of a gateway")], FINDINGS)
    return given.rstrip("/")


def _memory(root: str | None) -> Memory | None:
    """Open the memory of a data root. Raises Trouble (OB950), and Refused (OB786) for one that is a server."""
    if root is None:
        return None
    if wiring.is_address(root):
        message = (
            f"`omnibachi serve observer` keeps a file in its data root, and `{wiring.shown_root(root)}` is a server"
        )
        help = "name a folder, or leave `--data-root` out: then everything is read anew at each start"
        raise Refused([Diagnostic("OB786", message, help=help)], FINDINGS)
    return Memory(root)


def _recalled(memory: Memory | None, show: Callable[[Diagnostic], None]) -> Folds:
    if memory is None:
        return wiring.Folds()
    found, forgotten = memory.recall()
    if forgotten is not None:
        show(forgotten)
    return found or wiring.Folds()


def _keep(memory: Memory, said: dict[str, Any], lines: Lines) -> None:
    found = memory.keep(said)
    if found is not None:
        lines.say("memory", code=found.code)


def _workflow(workspace: Workspace, show: Callable[[Diagnostic], None]) -> dict[str, Any] | None:
    """Return the gateway's workflow as the workspace seals it; None, which is told, where it has none to be drawn."""
    try:
        return wiring.load_workflow(workspace.load(), GOVERN, workspace.capabilities.source).workflow
    except Refused as refused:
        show(refused.diagnostics[0].as_warning())
        return None
