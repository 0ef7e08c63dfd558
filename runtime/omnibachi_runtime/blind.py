"""The recorded walk without the secrets: what can be seen of a run whose payload is not at hand.

1. Where the payload has secrets, the record holds commitments to them. Each becomes a `Marker`, which goes wherever the
   secret went.
2. A node that would read a marker is not done again: it answers from its row, as far as that can be so: path, kind,
   declared outcome, public inputs. Its public outputs are real, its secret ones markers. Such nodes are told.
3. A loop over a secret list, or that ends by what is secret, is walked by its rows (`blind_loops`). A node that has
   none, and a loop whose own row is not there, cannot be walked: `Unseen`.
4. All else is done as ever. Without the key of the data root no commitment can be made: then what is withheld is taken
   from the row, and told as well.

With the payload, which must have the recorded commitments, nothing of this is needed.
"""

from __future__ import annotations

import orjson

from omnibachi_model.checks import filler
from omnibachi_model.checks import link as link_check
from omnibachi_model.digests import encode
from omnibachi_model.record import CALLED, COMPUTED, DECIDED, RUN_FINISHED
from omnibachi_model.sealed import CALL, COMPUTE, DECIDE, EACH, END, FAULT, PASS, REJECTED_EXIT, REPEAT, SUCCESS
from omnibachi_model.secrecy import WITHHELD, is_withheld, withheld

from . import templates
from .templates import ABSENT
from .walk import Mishap
from .withholding import Fields, Marker, Unseen, holds_marker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn, TypeAlias

    from omnibachi_model.checks import Violation

    from .link import Program
    from .recorded import Along, _Tape
    from .walk import Recorded, Step, Walk

    Differ: TypeAlias = "Callable[[str, bytes, bytes], NoReturn]"

KINDS = {CALL: CALLED, COMPUTE: COMPUTED, DECIDE: DECIDED}


class Sight:
    """How much can be seen while a record is walked along: `gate` of the payload, whether some of that is `hidden`,
    and the paths of what was `withheld` so far; `ended`: the run was rejected at its gate, by what is hidden."""

    __slots__ = ("ended", "gate", "hidden", "program", "withheld")

    def __init__(self, program: Program, gate: tuple[list[Violation], Any, bytes], hidden: bool) -> None:
        self.program = program
        self.gate = gate
        self.hidden = hidden
        self.ended = False
        self.withheld: list[str] = []

    def note(self, path: str) -> None:
        """Tell of a node that could not be done again."""
        if path not in self.withheld:
            self.withheld.append(path)


def look(program: Program, recorded: Any, given: Any, rows: Sequence[Recorded]) -> Sight:
    """Return what can be seen with the recorded payload and the one that was handed in, or None.

    Raises Outside where it is none that a record can hold.
    """
    secrets = program.secrets
    assert secrets is not None
    if given is not None:
        return Sight(program, program.gate(given), False)
    hidden: list[Marker] = []

    def hide(value: Any) -> Any:
        if not is_withheld(value):
            return value
        hidden.append(Marker(value))
        return hidden[-1]

    seen = withheld(recorded, secrets.schema, hide)
    if not hidden and not _rejected(rows):
        sight = Sight(program, program.gate(recorded), False)
        # What is withheld was withheld by its key; without that the recorded form is all that there is.
        if secrets.commit is None:
            sight.gate = (*sight.gate[:2], encode(recorded))
        return sight
    filled = program.admitted(seen)
    found = [item for item in program.violations(filled) if not _hidden(filled, item)]
    sight = Sight(program, (found, filled, encode(recorded)), True)
    if _rejected(rows):
        sight.ended = True
        sight.note("")
    return sight


def _rejected(rows: Sequence[Recorded]) -> bool:
    """Tell whether a record has nothing but a start and the rejection of its payload."""
    if len(rows) != 2:
        return False
    body = orjson.loads(rows[1][1])
    result = body.get("result")
    at_gate = type(result) is dict and set(result) == {"violations"}
    return bool(at_gate and body.get("kind") == RUN_FINISHED and body.get("exit") == REJECTED_EXIT)


def _hidden(value: Any, violation: Violation) -> bool:
    """Tell whether a violation speaks of what is not at hand."""
    for part in violation[0]:
        if type(value) is Marker or type(value) not in (dict, list):
            break
        try:
            value = value[part]
        except ABSENT:
            return False
    return holds_marker(value)


def along(sight: Sight, index: int, node: dict[str, Any], ordinary: Along, differ: Differ) -> Along:
    """Return the recorded step of a node: the ordinary one, and another where a secret touches it."""
    secrets = sight.program.secrets
    assert secrets is not None
    if index not in secrets.bare:
        return ordinary
    step, fields = secrets.bare[index]
    reads = _reads(node, sight.program)
    if node["kind"] in KINDS:
        told = _told(sight, index, node, fields, differ)
        own = ordinary if secrets.commit is not None else _filled(sight, step, fields, differ)
        return lambda run, tape: (told if reads(run) else own)(run, tape)
    if node["kind"] == PASS:
        if node["check"] is None:
            return ordinary  # it hands on what it is given, whatever that is
        return _door(sight, index, node, reads, ordinary, step, fields, differ)
    # The END of a round whose loop gives what is not at hand adds an event that no key could make.
    exact = secrets.commit is not None and (node["kind"] != END or not sight.hidden)
    own = ordinary if exact else _filled(sight, step, fields, differ)
    if node["kind"] not in (EACH, END):
        return own
    from .blind_loops import ended_by_secrets, over_secrets

    if node["kind"] == EACH:
        return over_secrets(sight, index, node, reads, own, differ)
    loop = orjson.loads(sight.program.sealed)["nodes"][node["of"]]
    return ended_by_secrets(sight, node, own, differ) if loop["kind"] == REPEAT else own


def _reads(node: dict[str, Any], program: Program) -> Callable[[Walk], bool]:
    """Return what tells whether a node would read something that is not at hand."""
    template = node.get({EACH: "items", END: "output"}.get(node["kind"], "with"))
    if template is None:
        return lambda run: False
    size = len(program.names)
    if type(template) is dict:
        template = ["map", template]
    parts = [templates.link(item, size) for item in template[1].values()] if template[0] == "map" else None
    binds = parts if parts is not None else [templates.link(template, size)]

    def reads(run: Walk) -> bool:
        for bind in binds:
            try:
                if holds_marker(bind(run.values)):
                    return True
            except ABSENT:
                continue
        return False

    return reads


def _filled(sight: Sight, step: Step, fields: Fields, differ: Differ) -> Along:
    """Return a step that is done by itself, and what it withholds taken from its row."""

    def along(run: Walk, tape: _Tape) -> int:
        before, mishaps = len(run.events), len(run.mishaps)
        target = step(run)
        if len(run.events) > before:
            path, body, _ = run.events[before]
            row = tape.next()
            made = _from_row(fields, body, row[1])
            if made != row[1]:
                differ(path, row[1], made)
            run.events[before:] = [row]
            sight.note(path)
        for mishap in run.mishaps[mishaps:]:
            mishap.fault, mishap.text = fields.fault(mishap.fault), None
        return target

    return along


def _from_row(fields: Fields, body: bytes, row: bytes) -> bytes:
    """Return a body in which each withheld field is the recorded commitment."""
    recorded = orjson.loads(row)

    def kept(member: str) -> Callable[[str], Any]:
        there = recorded.get(member)
        return lambda name: there.get(name) if type(there) is dict and is_withheld(there.get(name)) else {}

    return fields.shown_by(orjson.loads(body), kept("inputs"), kept("output"))


def _told(sight: Sight, index: int, node: dict[str, Any], fields: Fields, differ: Differ) -> Along:
    """Return the recorded step of a node that reads what is not at hand: its row is all that is known of it."""
    size = len(sight.program.names)
    binds = _binds(node["with"], size)
    fill = filler(node["check"]) if node.get("check") is not None else None
    checks = {outcome: link_check(schema) for outcome, schema in node.get("outcomes", {}).items()}

    def along(run: Walk, tape: _Tape) -> int:
        path, row = run.place(node["name"]), tape.next()
        recorded: dict[str, Any] = orjson.loads(row[1])
        outcome, inputs = recorded.get("outcome"), recorded.get("inputs")
        made = _skeleton(node, path, recorded)
        if type(inputs) is dict:
            shown = _bound(binds, run, inputs)
            shown = fill(shown) if fill is not None else shown
            made["inputs"] = {**shown, **{name: _recorded(inputs, name) for name in fields.inputs if name in inputs}}
        output, targets = recorded.get("output"), node["next"]
        if outcome != FAULT:
            names = fields.outputs(str(outcome))
            known = _known(node, outcome, recorded)
            if not known or type(output) is not dict:
                differ(path, row[1], encode({**made, "outcome": sorted(targets)}))
            output = {name: _marked(item) if name in names else item for name, item in output.items()}
            check = checks.get(str(outcome))
            misfits = check(output) if check is not None else None
            if any(not _hidden(output, item) for item in misfits or ()) or (
                any(name in output and type(output[name]) is not Marker for name in names)
            ):
                differ(path, row[1], encode({**made, "output": None}))
            run.values[index] = output
        else:
            fault = orjson.loads(row[2]).get("fault")
            if type(fault) is dict and "reason" in fault:
                run.mishaps.append(Mishap(path, made["capability"], fault, None))
        if encode(made) != row[1]:
            differ(path, row[1], encode(made))
        run.events.append(row)
        sight.note(path)
        return int(targets[outcome])

    return along


def _skeleton(node: dict[str, Any], path: str, recorded: dict[str, Any]) -> dict[str, Any]:
    """Return what the body of a node's event must be, as far as it does not come of its inputs."""
    outcome = recorded.get("outcome")
    made: dict[str, Any] = {
        "capability": node.get("use"), "effect": node.get("effect"), "inputs": None, "kind": KINDS[node["kind"]],
        "outcome": outcome, "output": {} if outcome == FAULT else recorded.get("output"), "path": path,
    }  # fmt: skip
    if node["kind"] == DECIDE:
        number = recorded.get("row")
        rows = node["rows"]
        row = rows[number] if type(number) is int and 0 <= number < len(rows) and outcome != FAULT else None
        made["because"] = row["because"] if row is not None else None
        made["row"] = number if row is not None else None
        made["output"] = {"because": row["because"]} if row is not None else {}
    return made


def _known(node: dict[str, Any], outcome: Any, recorded: dict[str, Any]) -> bool:
    """Tell whether a node can end in an outcome, a decision by the recorded row."""
    if node["kind"] != DECIDE:
        return outcome in node["next"]
    number = recorded.get("row")
    return type(number) is int and 0 <= number < len(node["rows"]) and node["rows"][number]["outcome"] == outcome


def _binds(template: Any, size: int) -> dict[str, templates.Bind] | None:
    """Return what builds each input by itself; None where they come as one."""
    if type(template) is list:
        if template[0] != "map":
            return None
        template = template[1]
    return {name: templates.link(item, size) for name, item in template.items()}


def _bound(binds: dict[str, templates.Bind] | None, run: Walk, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs as far as they can be built: what is not there is absent, whole ones are as recorded."""
    if binds is None:
        return inputs
    found = {}
    for name, bind in binds.items():
        try:
            value = bind(run.values)
        except ABSENT:
            continue
        if not holds_marker(value):
            found[name] = value
    return found


def _recorded(inputs: Any, name: str) -> Any:
    found = inputs.get(name) if type(inputs) is dict else None
    return found if is_withheld(found) else {WITHHELD: None}


def _marked(value: Any) -> Any:
    return Marker(value) if is_withheld(value) else value


def _door(
    sight: Sight,
    index: int,
    node: dict[str, Any],
    reads: Callable[[Walk], bool],
    ordinary: Along,
    step: Step,
    fields: Fields,
    differ: Differ,
) -> Along:
    """Return the recorded step of a PASS that checks what it is given: without that, only its row tells what came."""
    secrets = sight.program.secrets
    assert secrets is not None
    bind = templates.link(node["with"], len(sight.program.names))
    fill = filler(node["check"])
    open_door = ordinary if secrets.commit is not None else _filled(sight, step, fields, differ)

    def along(run: Walk, tape: _Tape) -> int:
        if not reads(run):
            return open_door(run, tape)
        made = bind(run.values)
        path = run.place(node["name"])
        row = tape.rows[tape.place]
        recorded = orjson.loads(row[1])
        sight.note(path)
        if recorded.get("path") != path:
            run.values[index] = made if fill is None else fill(made)
            return int(node["next"][SUCCESS])
        tape.next()
        run.events.append(row)
        target = node["next"].get(recorded.get("outcome"))
        if target is None or recorded.get("outcome") == SUCCESS or recorded.get("kind") != COMPUTED:
            differ(path, row[1], encode({**recorded, "outcome": sorted(node["next"])}))
        return int(target)

    return along


def guarded(program: Program) -> None:
    """Make the steps of a program stop before one would read what is not at hand (Unseen)."""
    secrets = program.secrets
    if secrets is None:
        return
    nodes = orjson.loads(program.sealed)["nodes"]
    steps = list(program.steps)
    for index in secrets.bare:
        node = nodes[index]
        if node["kind"] in KINDS or node["kind"] == EACH or (node["kind"] == PASS and node["check"] is not None):
            steps[index] = _guard(node["name"], _reads(node, program), steps[index])
        elif node["kind"] == END and nodes[node["of"]]["kind"] == REPEAT:
            steps[index] = _guard(nodes[node["of"]]["name"], _reads(node, program), steps[index])
    program.steps = tuple(steps)


def _guard(name: str, reads: Callable[[Walk], bool], step: Step) -> Step:
    def careful(run: Walk) -> int:
        if reads(run):
            raise Unseen(run.place(name))
        return step(run)

    return careful
