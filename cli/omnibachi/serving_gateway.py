"""The gateway as a server: workspace, data root and options in, a socket that answers out, until it is told to stop.

The order matters: the port is taken before anything is touched, what can be refused is refused before the ledger is,
and what dead processes left is finished before the first request is read. A ledger that does not hold, or that
its checkpoint contradicts, is read and not written.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.providers import PROVIDERS, STUB

from . import wiring
from .clocks import Stamps, SystemClock, SystemEntropy
from .commands.output import show
from .doors import listening_at, log_stream, needs_http, tell_ready
from .exits import FINDINGS
from .gateway_checkpoints import checkpoints_for
from .governing import GOVERN, LEDGER, Govern, open_gateway
from .workspace import Workspace

if TYPE_CHECKING:
    from omnibachi_model.boundary_ports import Ledger

    from .gateway_checkpoints import Checkpoints
    from .wiring import About, Lines, Readers, Turns

DEPARTED = "OB822"


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `omnibachi serve gateway`."""

    host: str = "127.0.0.1"
    port: int = 8010
    policy: str = "allow_all"
    provider: str = STUB
    model: str | None = None
    provider_url: str | None = None
    api_key_env: str | None = None
    token_file: str | None = None
    checkpoint: str | None = None
    checkpoint_key: str | None = None


def serve_gateway(workspace: Workspace, asked: Asked) -> str:
    """Serve until SIGINT or SIGTERM; return the address. Raises Refused and Trouble where it cannot begin."""
    needs_http()
    root = workspace.data_root
    with contextlib.ExitStack() as stack:
        tokens = wiring.load_tokens(asked.token_file) if asked.token_file is not None else None
        listening = stack.enter_context(listening_at(asked.host, asked.port, tokens=tokens is not None))
        address = wiring.address_of(listening)
        lines = wiring.Lines(log_stream())
        stack.callback(lines.close)
        checkpoints = checkpoints_for(
            workspace, root, LEDGER, path=asked.checkpoint, key_file=asked.checkpoint_key,
            tell=functools.partial(_say, lines),
        )  # fmt: skip
        # What lies on disk is read once: all walkers are on this snapshot, whatever is compiled meanwhile.
        first = _opened(workspace, asked, checkpoints)
        open_ledger = functools.partial(_ledger, root, first.turns)
        readers = wiring.Readers(open_ledger)
        stack.callback(readers.close)
        suspect = _suspect(readers, checkpoints, lines)
        walkers = wiring.Walkers(first.beside, lines, waits=asked.provider != STUB, suspect=suspect)
        walkers.start()
        tails = wiring.Tails(open_ledger, readers, lines)
        stack.callback(tails.close)
        gateway = wiring.Gateway(
            _about(asked, first), walkers, readers, tails, Stamps(SystemClock(), SystemEntropy()).draw
        )  # fmt: skip
        app = wiring.gateway_app(gateway, tokens=tokens, lines=lines)
        seconds = wiring.serve(app, listening, ready=lambda: tell_ready("gateway", address), stopping=tails.stop)
        left = walkers.close(seconds)
        if not walkers.suspect:
            checkpoints.stopped()
        lines.say("stopped", left=left)
        return address


def _opened(workspace: Workspace, asked: Asked, checkpoints: Checkpoints) -> Govern:
    """Open a gateway. Raises Refused: OB934 where the snapshot has none, and as `open_gateway` does."""
    try:
        return open_gateway(
            workspace, workspace.data_root, policy=asked.policy, provider=asked.provider, model=asked.model,
            provider_url=asked.provider_url, api_key_env=asked.api_key_env, checkpoints=checkpoints,
        )  # fmt: skip
    except Refused as refused:
        if "OB311" not in [item.code for item in refused.diagnostics]:
            raise
        raise Refused([Diagnostic("OB934", f"the snapshot holds no `{GOVERN}`")], FINDINGS) from None


def _say(lines: Lines, found: Diagnostic) -> None:
    lines.say("checkpoint", code=found.code)


def _suspect(readers: Readers, checkpoints: Checkpoints, lines: Lines) -> bool:
    """Tell whether the ledger, as it is found, may not be gone on from."""
    found = readers.now(lambda ledger: ledger.status())["ledger"]
    if found["health"] != "ok":
        lines.say("suspect", code="OB820", index=found["first_bad_index"])
        return True
    doubt = checkpoints.doubt()
    if doubt is not None:
        show([doubt.as_warning()])
        _say(lines, doubt)
    return doubt is not None and doubt.code == DEPARTED


@contextlib.contextmanager
def _ledger(root: str, turns: Turns | None) -> Iterator[Ledger]:
    with wiring.open_root(root, turns=turns) as opened:
        yield opened.decisions(LEDGER)


def _about(asked: Asked, first: Govern) -> About:
    boundary: dict[str, Any] = first.boundary
    policy, model = boundary["policy"], boundary["model_id"]
    shown = {
        "name": asked.policy, "id": policy["address"], "version": policy["pack"]["version"], "digest": policy["digest"],
    }  # fmt: skip
    models = {name: [usual] if usual else [] for name, (usual, _) in PROVIDERS.items()}
    if model not in models[asked.provider]:
        models[asked.provider].append(model)
    return wiring.About(wiring.VERSION, policy["snapshot"], shown, asked.provider, model, models, first.intent_types())
