"""Whose fault it is: what failed in a run, by whom, and what to do about it.

- **payload**: the gate refused it, or the value that broke a node came from it;
- **capability**: its code raised, answered what it does not declare, or gave an output that breaks its declaration;
- **protocol**: the workflow read what need not be there, or bound or computed what does not fit;
- **environment**: a secret that the workflow names is not set where it was run;
- **outside**: the other side showed a secret in its answer, or nobody knows whether it did what it was asked;
- **store**: the data root's database could not do what was needed;
- **record**: it was cut, edited or exchanged, so that what it tells cannot be relied on (`examine` says so);
- **nobody**: a business decision (a decision row, or an outcome that the workflow routes to a denial) is no failure.

Where values came from is followed through the sealed templates: a computed or decided value comes from what it was
computed from, an item from the list, a capability's output from that capability, a loop's from that loop.
"""

from __future__ import annotations

from omnibachi_model import faults
from omnibachi_model.record import CALLED, DECIDED
from omnibachi_model.sealed import CALL, EACH, LOOPS, TIMEOUT, WAIT
from omnibachi_model.ways import completing, named

from .expression_text import reference, references
from .reasons import violations, why
from .story import nodes_of
from .words import Code, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .story import Step, Story
    from .words import Words

PAYLOAD = "payload"
PROTOCOL = "protocol"
CAPABILITY = "capability"
STORE = "store"
OUTSIDE = "outside"
ENVIRONMENT = "environment"

# Not of a node, but of the gate.
REJECTED = "payload-rejected"
NOT_ADMITTED = "OB701"

_OF_THE_STORE = ("sqlite3.", "Trouble", "OperationalError", "DatabaseError")


class Failure:
    """What failed: the step (None at the gate), the reason's name, whose fault, what happened and what to do.

    `spot` says which part of the node's declaration is meant: `with`, `rows`, `fields` or None for the whole node; at
    the gate, which member of the payload, by JSON Pointer.
    """

    __slots__ = ("fault", "reason", "remedy", "said", "spot", "step")

    def __init__(self, step: Step | None, reason: str, fault: str, said: Words, remedy: Words) -> None:
        self.step = step
        self.reason = reason
        self.fault = fault
        self.said = said
        self.remedy = remedy
        self.spot: str | None = None

    @property
    def code(self) -> str | None:
        """The diagnostic code of the reason, None for an outcome that the capability declares."""
        return NOT_ADMITTED if self.reason == REJECTED else faults.CODES.get(self.reason)


def blame(story: Story) -> Failure | None:
    """Say what failed in a run and whose fault it is; None where nothing failed.

    The last FAULT speaks before anything else. A run that ended FAILED on a declared outcome of a capability failed by
    the values that it was given; one that ended so on a decision, or was denied, failed by nobody.
    """
    if story.refused_at_gate:
        return _gate(story)
    if story.cancelled is not None:
        return None  # Somebody wanted it so; what crashed before had its way on.
    faulted = [step for step in story.steps if step.faulted]
    if faulted:
        return _fault(story, faulted[-1])
    last = story.steps[-1] if story.steps else None
    if story.status == "FAILED" and last is not None and last.kind == CALLED:
        return _answered(story, last)
    return None


def decided(story: Story) -> Step | None:
    """Return the step by which a run without failure ended elsewhere than COMPLETED: nobody's fault.

    It is the one after which no way led to a COMPLETED exit any more, crashes left out: what follows, such as the
    telling of a denial, decided nothing. The last one where no way ever led there.
    """
    if not (story.finished and story.steps and story.status != "COMPLETED" and blame(story) is None):
        return None
    if story.cancelled is not None:
        return None
    nodes = nodes_of(story.workflow)
    hopeful = completing(nodes)
    places = {node.get("name"): index for index, node in enumerate(nodes)}
    for step in story.steps:
        if places.get(named(step.node)) in hopeful and step.sealed["next"].get(step.outcome) not in hopeful:
            return step
    return story.steps[-1]


def _gate(story: Story) -> Failure:
    found = story.violations or []
    said: Words = ["the payload does not fit what the workflow admits"]
    intent = story.workflow.get("intent")
    if isinstance(intent, str):
        said += [" (", Code(intent), ")"]
    said += [": ", *violations(found)] if found else []
    places: list[str] = [Code(str(item.get("pointer") or "/")) for item in found[:6]]
    remedy: Words = ["mend the payload", *([" at ", *listed(places)] if places else []), " and run again"]
    failure = Failure(None, REJECTED, PAYLOAD, said, remedy)
    failure.spot = str(found[0].get("pointer")) if found else None
    return failure


def _answered(story: Story, step: Step) -> Failure:
    if step.unsure:
        key: Words = [" (its key is ", Code(step.key), ")"] if step.key else []
        unknown: Words = [*why(step), ", and nobody knows whether it was done"]
        asking: Words = ["ask the other side whether it was done", *key, " before anything is done again"]
        return Failure(step, step.outcome, OUTSIDE, unknown, asking)
    if step.outcome == TIMEOUT:
        asked, node = Code(step.capability or "?"), Code(step.node)
        return Failure(
            step, TIMEOUT, CAPABILITY, why(step), ["make ", asked, " answer sooner, or give ", node, " more time"]
        )
    given = origins(story, step.sealed.get("with"))
    fault = PAYLOAD if _only_payload(given) else PROTOCOL
    said = [*why(step), ", and the workflow takes that for a failure"]
    remedy: Words = ["check the inputs of ", Code(step.node), ": they come from ", *_named(given)]
    return Failure(step, step.outcome, fault, said, remedy)


def _fault(story: Story, step: Step) -> Failure:
    reason = str(step.fault.get("reason", "unknown"))
    node = Code(step.node)
    if reason in (faults.RAISED, faults.UNDECLARED_OUTCOME, faults.OUTPUT_MISFIT, faults.INPUT_CHANGED):
        return _capability(step, reason)
    if reason == faults.MISSING_INPUT:
        return _missing(story, step)
    if reason in (faults.SECRET_MISSING, faults.SECRET_SHOWN):
        return _secret(step, reason)
    found = Failure(step, reason, PROTOCOL, why(step), ["check the declaration of ", node])
    if reason == faults.INPUT_MISFIT:
        given = origins(story, _misfitting(step))
        found.spot = "with"
        found.remedy = ["bind values that fit, or ask with a decision before ", node]
    elif reason == faults.EXPRESSION:
        given = origins(story, step.sealed.get("with"))
        found.spot = "rows" if step.kind == DECIDED else "fields"
        found.remedy = ["ask for presence, type and range before computing in ", node]
    else:
        return found
    if _only_payload(given):
        found.fault = PAYLOAD
        guard = "the intent could refuse such a payload, or the workflow could test it first"
        found.said = [*found.said, "; the values come from the payload alone: ", *_named(given)]
        found.remedy = ["send other values in ", *_named(given), f"; or, in the protocol: {guard}"]
    elif given:
        found.said = [*found.said, "; the values come from ", *_named(given)]
    return found


def _capability(step: Step, reason: str) -> Failure:
    address = Code(step.capability or "?")
    exception = str(step.fault.get("exception", ""))
    if reason == faults.RAISED and exception.startswith(_OF_THE_STORE):
        remedy: Words = ["check the data root: path, permissions, space, and that it is local disk"]
        return Failure(step, reason, STORE, why(step), remedy)
    if reason == faults.RAISED:
        frame = step.fault.get("frame")
        remedy = ["mend the code of ", address, *([" at ", Code(frame)] if isinstance(frame, str) else [])]
    elif reason == faults.UNDECLARED_OUTCOME:
        remedy = ["make the code of ", address, " answer a declared outcome, or declare the one that it answers"]
    elif reason == faults.INPUT_CHANGED:
        remedy = ["let the code of ", address, " copy what it changes"]
    else:
        remedy = ["make the output of ", address, " and its declaration agree"]
    return Failure(step, reason, CAPABILITY, why(step), remedy)


def _secret(step: Step, reason: str) -> Failure:
    name = Code(str(step.fault.get("secret", "?")))
    if reason == faults.SECRET_MISSING:
        remedy: Words = ["set the variable ", name, " where it is run, and run again: nothing left the house"]
        return Failure(step, reason, ENVIRONMENT, why(step), remedy)
    remedy = ["take the secrets of ", Code(step.node), " for known to the other side, and ask it not to show them"]
    return Failure(step, reason, OUTSIDE, why(step), remedy)


def _missing(story: Story, step: Step) -> Failure:
    path = step.fault.get("reference")
    path = path if isinstance(path, str) else "?"
    given = origins_of_path(story, path)
    node = Code(step.node)
    remedy: Words = ["read ", Code(path), " with ", Code("$first"), " and a default in ", node]
    fault = PROTOCOL
    if _only_payload(given):
        fault = PAYLOAD
        field = path if path.startswith("$.payload") else ""
        remedy = ["send ", *([Code(field)] if field else _named(given)), "; or, in the protocol: ", *remedy]
    found = Failure(step, faults.MISSING_INPUT, fault, why(step), remedy)
    found.spot = None if step.sealed.get("kind") == "EXIT" else "with"
    return found


def _misfitting(step: Step) -> Any:
    """Return the template of the inputs that do not fit, all of them where the record does not tell which."""
    whole = step.sealed.get("with")
    if not (isinstance(whole, list) and len(whole) == 2 and whole[0] == "map" and isinstance(whole[1], dict)):
        return whole
    found = step.fault.get("violations")
    pointers = [item.get("pointer") for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    first = {str(pointer).split("/")[1].replace("~1", "/").replace("~0", "~") for pointer in pointers if pointer}
    chosen = {name: part for name, part in whole[1].items() if name in first}
    return ["map", chosen] if chosen else whole


def origins(story: Story, template: Any) -> tuple[str, ...]:
    """Return where a template's values come from, in order: paths of the payload and the run, `literal`s left out.

    A capability's output counts as its own origin: `$.nodes.<node>`. A template of a decision or a computation may
    be given as the mapping of names that it is.
    """
    nodes = nodes_of(story.workflow)
    names = story.names()
    found: dict[str, None] = {}
    seen: set[int] = set()

    def follow(part: Any) -> None:
        if isinstance(part, dict):
            for item in part.values():
                follow(item)
            return
        for scope, segments in references(part):
            if not isinstance(scope, int):
                found[reference(scope, segments, names)] = None
            elif 0 <= scope < len(nodes):
                node = nodes[scope]
                item = node.get("kind") == EACH and list(segments[:1]) == [node.get("as")]
                if node.get("kind") in (CALL, WAIT, *LOOPS) and not item:
                    found[f"$.nodes.{names[scope]}"] = None
                elif item:
                    follow(node.get("items"))
                elif scope not in seen:
                    seen.add(scope)
                    follow(node.get("with"))

    follow(template)
    return tuple(found)


def origins_of_path(story: Story, path: str) -> tuple[str, ...]:
    """Return where the value of a written path (`$.nodes.total.sum`) comes from."""
    if not path.startswith("$.nodes."):
        return (path,)
    name = path.removeprefix("$.nodes.").split(".")[0].split("[")[0]
    names = story.names()
    if name not in names:
        return (path,)
    index = names.index(name)
    return origins(story, ["ref", index, []]) or (path,)


def _only_payload(given: tuple[str, ...]) -> bool:
    return bool(given) and all(path == "$.payload" or path.startswith(("$.payload.", "$.payload[")) for path in given)


def _named(given: tuple[str, ...], most: int = 4) -> Words:
    shown: list[str] = [Code(path) for path in given[:most]]
    if len(given) > most:
        shown.append(f"{len(given) - most} more places")
    return listed(shown) if shown else ["literals of the protocol"]
