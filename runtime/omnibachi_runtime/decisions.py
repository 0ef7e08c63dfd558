"""Steps that need no capability: decisions, computations and exits."""

from __future__ import annotations

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import encode
from omnibachi_model.faults import EXPRESSION
from omnibachi_model.record import COMPUTED, DECIDED
from omnibachi_model.sealed import FAULT, SUCCESS

from . import templates
from .faults import Frame, absent, fault
from .templates import ABSENT
from .walk import STOP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .walk import Step, Walk


def _link_names(node: dict[str, Any], size: int) -> tuple[list[Any], templates.Bind]:
    template = ["map", node["with"]]
    return template, templates.link(template, size)


def link_decide(index: int, node: dict[str, Any], size: int) -> Step:
    """Turn a DECIDE node into its step: the first row whose `when` is true wins."""
    # Imported here: a workflow without expressions starts without the module.
    from omnibachi_model.linked_expressions import ExpressionFault
    from omnibachi_model.linked_expressions import link as link_expression

    frame = Frame(DECIDED, node["name"], None, None)
    template, bind = _link_names(node, size)
    targets: dict[str, int] = node["next"]
    fault_target: int = targets[FAULT]
    fixed = frame.fixed
    linked = [
        (
            link_expression(row["when"]) if row["when"] is not None else None,
            frame.decided(row["outcome"], row["because"], number),
            (row["outcome"], row["because"], number),
            targets[row["outcome"]],
        )
        for number, row in enumerate(node["rows"])
    ]
    *rows, last = linked
    if last[0] is not None or any(row[0] is None for row in rows):
        raise ValueError("the last row of a decision, and no other, has no `when`")

    def step(run: Walk) -> int:
        values = run.values
        here = frame if fixed else frame.here(run)
        try:
            names = bind(values)
        except ABSENT:
            absent(run, here, template)
            return fault_target
        given = encode(names)
        winner = last
        try:
            for row in rows:
                verdict = row[0](names)  # type: ignore[misc]
                if verdict is True:
                    winner = row
                    break
                if verdict is not False:
                    raise ExpressionFault("`when` is neither true nor false")
        except ExpressionFault as error:
            fault(run, here, given, EXPRESSION, detail=str(error))
            return fault_target
        _, ends, told, target = winner
        before, after = ends if fixed else here.decided(*told)
        values[index] = {"because": told[1]}
        run.record(here.name, before + given + after)
        return target

    return step


def link_compute(index: int, node: dict[str, Any], size: int) -> Step:
    """Turn a COMPUTE node into its step: each field is an expression over the names in `with`."""
    from omnibachi_model.linked_expressions import ExpressionFault, bounded
    from omnibachi_model.linked_expressions import link as link_expression

    frame = Frame(COMPUTED, node["name"], None, None)
    template, bind = _link_names(node, size)
    fields = tuple((name, link_expression(tree)) for name, tree in node["fields"].items())
    targets: dict[str, int] = node["next"]
    fault_target, target = targets[FAULT], targets[SUCCESS]
    middle, fixed = frame.middle(SUCCESS), frame.fixed

    def step(run: Walk) -> int:
        here = frame if fixed else frame.here(run)
        try:
            names = bind(run.values)
        except ABSENT:
            absent(run, here, template)
            return fault_target
        given = encode(names)
        try:
            output = bounded({name: value(names) for name, value in fields})
        except ExpressionFault as error:
            fault(run, here, given, EXPRESSION, detail=str(error))
            return fault_target
        run.values[index] = output
        run.record(here.name, here.before + given + middle + encode(output) + here.after)
        return target

    return step


def link_exit(node: dict[str, Any], size: int) -> Step:
    """Turn an EXIT into its step; only one that reads something optional has somewhere to go when it is missing."""
    name, status = node["name"], node["status"]
    template = node["result"]
    bind = templates.link(template, size)
    frame = Frame(COMPUTED, name, None, None)
    fault_target: int | None = node["next"].get(FAULT)
    before, after = exit_bytes(name, status)

    def step(run: Walk) -> int:
        try:
            result = bind(run.values)
        except ABSENT:
            if fault_target is None:
                raise Refused([unproven(name)]) from None
            absent(run, frame, template)
            return fault_target
        run.finish(name, status, result, before + encode(result) + after)
        return STOP

    return step


def unproven(name: str) -> Diagnostic:
    """Say that the compiler's proof does not hold: whoever edits a snapshot with its digests can break it."""
    message = f"`{name}` reads what is not there, and the snapshot says that it is"
    return Diagnostic("OB608", message, help="compile again; a snapshot that was edited proves nothing")


def exit_bytes(name: str, status: str) -> tuple[bytes, bytes]:
    """Return the bytes of a RUN_FINISHED body before and after its result."""
    return b'{"exit":%b,"kind":"RUN_FINISHED","result":' % encode(name), b',"status":%b}' % encode(status)
