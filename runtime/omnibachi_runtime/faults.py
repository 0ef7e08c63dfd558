"""FAULT: what a node's mishap looks like in the record, and the bytes of each node's event.

Nothing is raised past a node. A crash, an answer that was not declared, an input or output that breaks its schema, a
missing optional value and an expression that has no value all become the outcome FAULT; its reason stands in `obs`
(docs/formats.md, `fault`). Exception text never enters the record.
"""

from __future__ import annotations

from omnibachi_model.checks import listed
from omnibachi_model.digests import encode
from omnibachi_model.faults import MISSING_INPUT, RAISED
from omnibachi_model.sealed import FAULT

from .templates import missing
from .walk import Mishap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any

    from omnibachi_model.checks import Violation

    from .walk import Walk


class Frame:
    """What is the same in every event of one node: its name and the bytes before its inputs and after its output.

    A body's members stand in canonical order, so the inputs come between `before` and the kind, the output between
    the outcome and the path. A node inside a loop has empty brackets in its name, and only `here`, the frame of one
    iteration, is what its events are made of.
    """

    __slots__ = ("after", "before", "capability", "fixed", "kind", "name")

    def __init__(self, kind: str, name: str, capability: str | None, effect: str | None) -> None:
        self.kind = kind
        self.name = name
        self.fixed = "[]" not in name
        self.capability = capability
        self.before = b'{"capability":%b,"effect":%b,"inputs":' % (encode(capability), encode(effect))
        self.after = b',"path":%b}' % encode(name)

    def here(self, run: Walk) -> Frame:
        """Return the frame of the iteration in which the walk is, this one outside of all loops."""
        if self.fixed:
            return self
        found = Frame.__new__(Frame)
        found.kind, found.capability, found.before = self.kind, self.capability, self.before
        found.name = run.place(self.name)
        found.fixed = True
        found.after = b',"path":%b}' % encode(found.name)
        return found

    def middle(self, outcome: str) -> bytes:
        """Return the bytes between inputs and output."""
        return b',"kind":%b,"outcome":%b,"output":' % (encode(self.kind), encode(outcome))

    def decided(self, outcome: str, because: str | None, row: int | None) -> tuple[bytes, bytes]:
        """Return the bytes before and after the inputs of a decision that a row (or, with None, a FAULT) ended."""
        output = b"{}" if row is None else encode({"because": because})
        before = b'{"because":%b,' % encode(because) + self.before[1:]
        return before, self.middle(outcome) + output + self.after[:-1] + b',"row":%b}' % encode(row)

    def fault(self, given: bytes | None) -> bytes:
        """Return the body of this node's FAULT; `given` are the encoded inputs, None if they could not be built."""
        inputs = b"null" if given is None else given
        if self.kind == "DECIDED":
            before, after = self.decided(FAULT, None, None)
            return before + inputs + after
        return self.before + inputs + self.middle(FAULT) + b"{}" + self.after


class Told(Exception):
    """What ends a call in FAULT with a reason of its own, raised by what stands around its function.

    With an `error` the reason is that this was raised, and its text is not told.
    """

    def __init__(self, reason: str, error: BaseException | None = None, /, **known: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error
        self.known = known


def fault(run: Walk, frame: Frame, given: bytes | None, reason: str, text: str | None = None, /, **known: Any) -> None:
    """Record that a node ended in FAULT."""
    what = {"reason": reason, **{key: value for key, value in known.items() if value is not None}}
    run.record_mishap(frame.fault(given), Mishap(frame.name, frame.capability, what, text))


def absent(run: Walk, frame: Frame, template: Any) -> None:
    """Record that a node read something optional that is not there."""
    fault(run, frame, None, MISSING_INPUT, reference=missing(template, run.values, run.program.scopes))


def misfit(run: Walk, frame: Frame, given: bytes | None, reason: str, violations: Sequence[Violation]) -> None:
    """Record that a node's inputs or output break their schema."""
    fault(run, frame, given, reason, violations=listed(list(violations)))


def raised(run: Walk, frame: Frame, given: bytes, error: BaseException, package: str) -> None:
    """Record that a capability of the top-level `package` raised: the exception's type and its last own frame."""
    text = None
    if not isinstance(error, Told):
        text = _text(error)
    elif error.error is None:
        fault(run, frame, given, error.reason, **error.known)
        return
    else:
        error = error.error
    name = type(error).__qualname__
    place = _last_own(error.__traceback__, package)
    fault(run, frame, given, RAISED, text, exception=name, frame=place)


def _text(error: BaseException) -> str | None:
    try:
        text = str(error).strip()
    except Exception:
        return None
    return text.splitlines()[0][:200] if text else None


def _last_own(trace: TracebackType | None, package: str) -> str | None:
    """Return `package/module.py:line function` of the deepest frame inside the package: the same on every machine."""
    found = None
    while trace is not None:
        code = trace.tb_frame.f_code
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == package:
            file = code.co_filename.replace("\\", "/").rpartition("/")[2]
            folder = module.split(".") if file == "__init__.py" else module.split(".")[:-1]
            found = f"{'/'.join([*folder, file])}:{trace.tb_lineno} {code.co_qualname}"
        trace = trace.tb_next
    return found
