"""The gateway in process: an intent and who sent it in, what stands in the ledger of decisions out.

What happens is the sealed workflow's to say (`dbl::WF_GOVERN_INTENT_V0`). Here stands what it meets: the boundary, made
of what is sealed and of what the operator opened; the one place and key that a provider has, handed over by name when a
call is made and held nowhere else; and what becomes of runs that ended before their story did. Runs are journalled and
leave no trace folder.
"""

from __future__ import annotations

import os

from omnibachi_model.decisions import ANCHORS, DENIED, EXECUTED, FINAL, INTENT
from omnibachi_model.diagnostics import Diagnostic, Refused, Trouble
from omnibachi_model.digests import decode
from omnibachi_model.formats import write_time
from omnibachi_model.nearest import nearest
from omnibachi_model.providers import DURATION_MS, PROVIDERS, SECRET, access_text
from omnibachi_model.record import INTENDED
from omnibachi_model.sealed import FAULT

from . import wiring
from .clocks import SystemClock
from .exits import FINDINGS, TROUBLE
from .intent_types import intent_types
from .packs import in_force

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from omnibachi_model.ports import Clock, Entropy
    from omnibachi_model.values import JSON

    from .engine import Engine
    from .gateway_checkpoints import Checkpoints
    from .results import RunResult
    from .wiring import RunRow
    from .workspace import Workspace

GOVERN, CLOSE = "dbl::WF_GOVERN_INTENT_V0", "dbl::WF_CLOSE_INTENT_V0"
LEDGER = "dbl::ST_LEDGER_V0"
CALL_NODE = "call"
RECOVERED = "gateway.recovered"
# What a refusal is called, by the outcome with which the ledger refused.
REFUSALS = {
    "CORRELATION_CONFLICT": "admission.correlation_conflict",
    "TURN_CONFLICT": "admission.turn_conflict",
    "INVALID_PARENT": "admission.invalid_parent",
}
_STATES = {"executed": EXECUTED, "denied": DENIED}
UNAVAILABLE, MISFIT = "store.unavailable", "admission.invalid_field"


class Governed:
    """What became of an intent: the index of its INTENT and its state, None where it was `refused` (the reason code);
    `replayed` where it was there before; and the run."""

    __slots__ = ("index", "refused", "replayed", "run", "state")

    def __init__(
        self,
        run: RunResult,
        index: int | None,
        state: str | None,
        *,
        replayed: bool = False,
        refused: str | None = None,
    ) -> None:
        self.run = run
        self.index = index
        self.state = state
        self.replayed = replayed
        self.refused = refused


class Govern:
    """Governs intents on one data root; a context manager, for one thread. Made by `open_gateway`."""

    __slots__ = ("_checkpoints", "_clock", "_engine", "boundary")

    def __init__(
        self, engine: Engine, boundary: Mapping[str, JSON], clock: Clock, checkpoints: Checkpoints | None = None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._checkpoints = checkpoints
        self.boundary = dict(boundary)

    def __enter__(self) -> Govern:
        return self

    def intent_types(self) -> dict[str, dict[str, Any]]:
        """Return the types of intent that are declared, each with the JSON Schema of its payload."""
        return intent_types(self._engine.snapshot)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._engine.close(done=kind is None)

    @property
    def turns(self) -> wiring.Turns | None:
        """The order in which this one and those beside it write."""
        return self._engine.turns

    def beside(self) -> Govern:
        """Open another on the same snapshot and data root, with the same in force, for another thread."""
        return Govern(self._engine.beside(), self.boundary, self._clock, self._checkpoints)

    def govern(
        self,
        anchors: dict[str, JSON],
        intent: dict[str, JSON],
        identity: dict[str, JSON],
        run_id: str | None = None,
    ) -> Governed:
        """Record a normalised intent, decide it, and execute it where that is allowed; once for each correlation.

        `run_id` is drawn where none is given, as whoever tells of it before it ends must know its name.

        Once it returns, INTENT and DECISION outlive a power failure. What stands in the way is told by `refused`, never
        raised.
        """
        found = self._governed(anchors, intent, identity, run_id)
        if found.state is not None and found.state != EXECUTED:
            # Of what was executed, the word that the call would leave was flushed, and all before it.
            try:
                self._engine.ledger.decisions(LEDGER).flush()
            except Trouble:
                return Governed(found.run, None, None, refused=UNAVAILABLE)
        if self._checkpoints is not None and found.index is not None:
            self._checkpoints.passed(found.index, self._engine.ledger.decisions(LEDGER))
        return found

    def _governed(
        self, anchors: dict[str, JSON], intent: dict[str, JSON], identity: dict[str, JSON], run_id: str | None
    ) -> Governed:
        payload: dict[str, JSON] = {
            "anchors": anchors, "intent": intent, "identity": identity, "boundary": self.boundary,
        }  # fmt: skip
        run = self._engine.run(GOVERN, payload, trace_id=run_id)
        if run.exit is None:
            return self._cut_short(run, str(anchors["correlation_id"]))
        found: dict[str, Any] = run.result or {}
        if run.exit in _STATES:
            return Governed(run, found["index"], _STATES[run.exit])
        if run.exit == "replayed":
            return Governed(run, found["index"], found["state"], replayed=True)
        last = run.path[-1].outcome if run.path else ""
        if run.exit == "rejected" or last in REFUSALS:
            return Governed(run, None, None, refused=REFUSALS.get(last, MISFIT))
        try:
            correlation = str(anchors["correlation_id"])
            self._settle(correlation)
            told = self._engine.ledger.decisions(LEDGER).correlation(correlation)
        except Trouble:
            told = None
        if told is None:
            return Governed(run, None, None, refused=UNAVAILABLE)
        return Governed(run, told["indexes"][INTENT], told["state"])

    def _cut_short(self, run: RunResult, correlation: str) -> Governed:
        """Tell of a run that trouble ended. What it has recorded stands, and the sweep goes on from there: to call that
        refused would be to deny an event of the ledger."""
        if run.exit_code == FINDINGS:
            return Governed(run, None, None, refused=MISFIT)
        try:
            decisions = self._engine.ledger.decisions(LEDGER)
            story, told = decisions.story(correlation), decisions.correlation(correlation)
        except Trouble:
            story, told = [], None
        if told is None or story[0]["obs"].get("trace_id") != run.trace_id:
            return Governed(run, None, None, refused=UNAVAILABLE)
        return Governed(run, told["indexes"][INTENT], told["state"])

    def recover(self) -> list[RunResult]:
        """Finish what dead processes left, before the door opens: their runs first, then every story that is not
        complete. Return the runs. Raises Trouble."""
        done = []
        for row in self._engine.ledger.unfinished():
            if row.workflow in (GOVERN, CLOSE) and not self._engine.ledger.worked_on(row):
                done += self._resumed(row)
        return done + self.sweep()

    def sweep(self) -> list[RunResult]:
        """Complete every story on which nobody works; return the runs that did. Raises Trouble."""
        found = self._engine.ledger.decisions(LEDGER).unfinished()
        return [run for correlation in found for run in self._settle(correlation)]

    def _resumed(self, row: RunRow) -> list[RunResult]:
        """Resume a run; one that cannot be resumed is cancelled, so that nothing of it can leave ever after."""
        found = self._engine.resume(row.run)
        if found.exit is None and found.exit_code != TROUBLE:
            at = write_time(self._clock.now_ns())
            self._engine.ledger.cancellations.keep(row.run, wiring.Cancellation(at, "gateway", RECOVERED))
            return [found, self._engine.resume(row.run)]
        return [found]

    def _settle(self, correlation: str) -> list[RunResult]:
        """Complete one story: its run is resumed where it has not ended, and what is missing then is appended."""
        ledger = self._engine.ledger
        story = ledger.decisions(LEDGER).story(correlation)
        if not story:
            return []
        row = ledger.finished(str(story[0]["obs"].get("trace_id")))
        done = []
        if row is not None and row.exit is None:
            if ledger.worked_on(row):
                return []
            done = self._resumed(row)
            ended = ledger.finished(row.run)
            told = ledger.decisions(LEDGER).correlation(correlation)
            # What may still go on by itself is not closed: it could call a provider afterwards.
            if ended is None or ended.exit is None or told is None or told["state"] in FINAL:
                return done
        for boundary in (self._met(row), self.boundary):
            closed = self._engine.run(CLOSE, {
                "anchors": _anchors(story[0]), "boundary": boundary, "execution": self._came_to(row),
            })  # fmt: skip
            if closed.exit != "rejected":
                break
        return [*done, closed]

    def _met(self, row: RunRow | None) -> JSON:
        """Return the boundary that a run met; the one in force where that is not recorded."""
        events = [] if row is None else self._engine.ledger.events(row.run)
        given = decode(events[0][1]).get("payload") if events else None
        met: JSON = given.get("boundary") if isinstance(given, dict) else None
        return self.boundary if met is None else met

    def _came_to(self, row: RunRow | None) -> dict[str, JSON]:
        """Return what an allowed call came to: its recorded answer, else whether it may have left."""
        events = [] if row is None else self._engine.ledger.events(row.run)
        told = [body for _, text, _ in events if (body := decode(text)).get("path") == CALL_NODE]
        for body in told:
            if "execution" in body.get("output", {}):
                return body["output"]["execution"]  # type: ignore[no-any-return]
        left = any(body.get("kind") == INTENDED for body in told)
        crashed = any(body.get("outcome") == FAULT for body in told)
        return {"failed": "outcome_unknown" if left and not crashed else "internal_error"}


def open_gateway(
    workspace: Workspace,
    data_root: str | os.PathLike[str] | None = None,
    *,
    policy: str = "allow_all",
    provider: str = "stub",
    model: str | None = None,
    provider_url: str | None = None,
    api_key_env: str | None = None,
    budget: Mapping[str, int] | None = None,
    checkpoints: Checkpoints | None = None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> Govern:
    """Open a gateway with a policy, a provider and its model in force; `budget` is the most of a decision.
    `checkpoints` is told of each story.

    Raises Refused for a policy, provider or model that is none (OB843, OB860, OB861), a provider that cannot be
    reached safely (OB862), and as `Workspace.load` does.
    """
    if provider not in PROVIDERS:
        near = nearest(provider, PROVIDERS)
        known = ", ".join(f"`{name}`" for name in PROVIDERS)
        help = f"did you mean `{near}`?" if near else f"there are {known}"
        raise Refused([Diagnostic("OB860", f"no provider is called `{provider[:100]}`", help=help)], FINDINGS)
    model_id = model or PROVIDERS[provider][0]
    if not model_id:
        raise Refused([Diagnostic("OB861", f"the provider `{provider}` is asked for no model")], FINDINGS)
    access = _access(provider, provider_url, api_key_env)
    engine = workspace.engine(
        data_root, clock=clock, entropy=entropy, secrets=lambda name: access if name == SECRET else None,
        turns=wiring.Turns(),
    )  # fmt: skip
    for workflow in (GOVERN, CLOSE):
        engine.linked(workflow)
    boundary: dict[str, JSON] = {
        "policy": in_force(engine.snapshot, policy), "provider": provider, "model_id": model_id,
        "budget": {"max_duration_ms": DURATION_MS, **(budget or {})},
    }  # fmt: skip
    return Govern(engine, boundary, clock or SystemClock(), checkpoints)


def _access(provider: str, url: str | None, variable: str | None) -> str:
    """Return the access to a provider as the secret's text; the key is in no message. Raises Refused (OB862)."""
    key = None
    try:
        if variable is not None:
            key = os.environ.get(variable)
            if not key:
                raise ValueError(f"the environment has no `{variable[:100]}`")
        return access_text(provider, url, key)
    except ValueError as error:
        raise Refused([Diagnostic("OB862", f"the provider `{provider}`: {error}")], FINDINGS) from None


def _anchors(event: Mapping[str, Any]) -> dict[str, JSON]:
    return {**{name: event[name] for name in ANCHORS}, "actor": event["actor"]}
