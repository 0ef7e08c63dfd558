"""What a call is, linked: the site of a CALL node, its inputs, and what a side effect may know of its call.

Inputs are encoded before the call, so whatever a capability does to them the record says what it was given.
"""

from __future__ import annotations

import orjson

from omnibachi_model.checks import compile_pattern, conform, filler, listed
from omnibachi_model.checks import link as link_check
from omnibachi_model.digests import digest_of
from omnibachi_model.faults import INPUT_MISFIT
from omnibachi_model.quick import quick
from omnibachi_model.record import CALLED
from omnibachi_model.sealed import FAULT

from . import templates
from .faults import Frame, absent, misfit
from .templates import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    from omnibachi_model.checks import Check, Fill
    from omnibachi_model.ports import Clock, Entropy
    from omnibachi_model.values import JSON

    from .attempts import Patience
    from .walk import Walk

    Schemas: TypeAlias = "Mapping[str | int, Sequence[Mapping[str, Any]]]"
    Ask: TypeAlias = "Callable[[Walk, str, dict[str, Any], int | None], Any]"
    Outcomes: TypeAlias = "dict[str, tuple[Callable[[Any], bool], bytes, int]]"

dumps = orjson.dumps
SORTED = orjson.OPT_SORT_KEYS
NOTHING: Mapping[str, Any] = {}


class EventShape:
    """The event that a node names, as its capability sees it: the address, and a check of records."""

    __slots__ = ("_check", "address")

    def __init__(self, address: str, schema: dict[str, Any]) -> None:
        self.address = address
        self._check = link_check(schema)

    def violations(self, record: Mapping[str, JSON]) -> list[dict[str, str]]:
        """Return every violation of the event's schema as `{pointer, keyword}`."""
        return listed(conform(self._check, record)[1])


def never() -> bool:
    """Tell that nobody cuts this call: it is part of a transaction, or over soon."""
    return False


def unnamed(name: str) -> str:
    """Refuse: this node names no secret."""
    raise PermissionError(f"this node names no secret {name}")


class Call:
    """What a side effect may know of its call besides its inputs and its store (see `ports.Call`)."""

    __slots__ = (
        "cancelled", "clock", "deadline", "declared", "entropy", "event", "hosts", "path", "programs", "run", "secret",
    )  # fmt: skip

    def __init__(
        self,
        run: str,
        path: str,
        deadline: int | None,
        clock: Clock,
        entropy: Entropy,
        event: EventShape | None,
        hosts: tuple[str, ...] = (),
        declared: Mapping[str, Any] = NOTHING,
        programs: Mapping[str, Any] = NOTHING,
        cancelled: Callable[[], bool] = never,
        secret: Callable[[str], str] = unnamed,
    ) -> None:
        self.run = run
        self.path = path
        self.deadline = deadline
        self.clock = clock
        self.entropy = entropy
        self.event = event
        self.hosts = hosts
        self.declared = declared
        self.programs = programs
        self.cancelled = cancelled
        self.secret = secret

    @property
    def key(self) -> str:
        """The digest over run and path: the same for every attempt of this call."""
        return digest_of([self.run, self.path])


class Site:
    """One CALL node, linked: how its inputs come about, who answers, and what each outcome means."""

    __slots__ = (
        "ask",
        "bind",
        "check",
        "checks",
        "fault_target",
        "fill",
        "frame",
        "guarded",
        "index",
        "outcomes",
        "package",
        "patience",
        "template",
    )

    def __init__(self, index: int, node: dict[str, Any], size: int, schemas: Schemas, ask: Ask, package: str) -> None:
        self.index = index
        self.frame = Frame(CALLED, node["name"], node["use"], node["effect"])
        self.template = node["with"]
        self.bind = templates.link(node["with"], size)
        checked = node["check"]
        if checked is not None and templates.names_secret(node["with"]):
            # Imported here: few calls are given a secret.
            from .leaving import unrevealed

            checked = unrevealed(checked, node["with"])
        self.check: Check | None = link_check(checked) if checked is not None else None
        self.fill: Fill | None = filler(checked) if checked is not None else None
        # What a default holds belongs to every call.
        self.guarded = self.fill is not None or templates.may_share(node["with"], schemas)
        self.patience = _patience(node)
        self.ask = ask
        self.package = package
        targets: dict[str, int] = node["next"]
        self.fault_target = targets[FAULT]
        self.checks = {name: link_check(schema) for name, schema in node["outcomes"].items()}
        self.outcomes: Outcomes = {
            name: (_predicate(schema, self.checks[name]), self.frame.middle(name), targets[name])
            for name, schema in node["outcomes"].items()
        }


def _patience(node: dict[str, Any]) -> Patience | None:
    if node.get("retry") is None and node.get("deadline_ms") is None:
        return None
    # Imported here: most workflows start without the module.
    from .attempts import Patience

    return Patience.of(node)


def _predicate(schema: dict[str, Any], check: Check) -> Callable[[Any], bool]:
    """Return what tells quickly whether a value fits; False may also mean that the check must look closer."""
    return quick(schema, compile_pattern) or (lambda value: not check(value))


def inputs_of(site: Site, run: Walk, frame: Frame) -> tuple[dict[str, Any], bytes] | None:
    """Build, fill and check a node's inputs: (inputs, their bytes), or None after its FAULT was recorded."""
    try:
        inputs = site.bind(run.values)
    except ABSENT:
        absent(run, frame, site.template)
        return None
    if site.fill is not None:
        inputs = site.fill(inputs)
    try:
        given = dumps(inputs, None, SORTED)
    except TypeError:
        misfit(run, frame, None, INPUT_MISFIT, [((), "canonical")])
        return None
    if site.check is not None:
        found = site.check(inputs)
        if found:
            misfit(run, frame, given, INPUT_MISFIT, found)
            return None
    return inputs, given
