"""Two records compared: where the runs part, what made them part, and what followed from it.

A run follows from its workflow, its payload, the members of `$.run` that it reads, and what side effects and people
answered (docs/formats.md, "Trace"). So a difference is a cause only where what stands before it is equal: one of those
four, or code, where a transform made something else of the same inputs. All others follow from a cause before them.
"""

from __future__ import annotations

from omnibachi_model.digests import encode
from omnibachi_model.record import RUN_FINISHED, STEPS, WAITED, digest_of, read
from omnibachi_model.secrecy import is_withheld

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from omnibachi_model.record import Event

WORKFLOW, PAYLOAD, RUN, ANSWER, CODE, END = "workflow", "payload", "run input", "recorded answer", "code", "end"
EDITED = "edited"
CAUSES = (WORKFLOW, PAYLOAD, RUN, ANSWER, CODE, END, EDITED)
# Only under one key do equal secrets have equal commitments.
UNLIKE = "what is withheld is another value, or was withheld under the key of another data root"
MOST_PLACES = 20  # differing places that are listed of one pair of values
_FIELDS = ("capability", "effect", "inputs", "outcome", "row", "because", "output")


class Cause:
    """One thing that made two runs part.

    `kind` is one of `CAUSES`: END where one record breaks off, EDITED where a step differs and nothing before it does,
    which no two runs leave. `path` is the node, empty for the start. `places` are the first differing places as
    (JSON Pointer, old value, new value), a value that is not there being None; `note` says what else is known.
    """

    __slots__ = ("kind", "note", "path", "places")

    def __init__(self, kind: str, path: str, places: list[tuple[str, Any, Any]], note: str | None = None) -> None:
        self.kind = kind
        self.path = path
        self.places = places
        self.note = note

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `diff --json` prints."""
        return {"kind": self.kind, "path": self.path, "places": _told(self.places), "note": self.note}


class Effect:
    """A step that two runs do not share, or not alike: `what` is `only-old`, `only-new`, or the member that differs."""

    __slots__ = ("path", "places", "what")

    def __init__(self, path: str, what: str, places: list[tuple[str, Any, Any]]) -> None:
        self.path = path
        self.what = what
        self.places = places

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `diff --json` prints."""
        return {"path": self.path, "what": self.what, "places": _told(self.places)}


class Parting:
    """What two records differ in: `causes` in the order in which they came to bear, `followed`, and both ends.

    `digests` are those of the runs; `ends` hold exit, status and result, None where a record has no end; `locks` are
    capabilities whose code was not sealed alike, which by itself is no difference.
    """

    __slots__ = ("causes", "digests", "ends", "followed", "locks", "runs", "shared")

    def __init__(self, old: _Record, new: _Record) -> None:
        self.runs = (old.trace_id, new.trace_id)
        self.digests = (old.digest, new.digest)
        self.ends = (old.end, new.end)
        self.locks = sorted(
            name for name in old.locks.keys() & new.locks.keys() if old.locks[name] != new.locks[name]
        )  # fmt: skip
        self.causes: list[Cause] = []
        self.followed: list[Effect] = []
        self.shared = 0

    @property
    def same(self) -> bool:
        """Whether both runs have one digest."""
        return self.digests[0] == self.digests[1]

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `diff --json` prints for records."""
        causes = [cause.as_json() for cause in self.causes]
        return {
            "same": self.same, "traces": list(self.runs), "digests": list(self.digests),
            "cause": causes[0] if causes else None, "more_causes": causes[1:],
            "followed": [item.as_json() for item in self.followed], "steps_before": self.shared,
            "ends": list(self.ends), "locks": self.locks,
        }  # fmt: skip


class _Record:
    """A record as far as two are compared: start, steps in order and by path, end, locks as far as it names them."""

    __slots__ = ("by_path", "digest", "end", "locks", "start", "steps", "trace_id")

    def __init__(self, record: bytes) -> None:
        events: list[Event] = list(read(record))
        self.start: dict[str, Any] = events[0].body
        first = events[0].obs
        self.trace_id = str(first.get("trace_id"))
        self.digest = digest_of([event.body_bytes for event in events])
        self.steps = [event.body for event in events if event.body["kind"] in STEPS]
        self.by_path = {body["path"]: body for body in self.steps}
        last = events[-1].body
        ended = last["kind"] == RUN_FINISHED
        self.end = {name: last[name] for name in ("exit", "status", "result")} if ended else None
        self.locks: dict[str, Any] = {}
        for event in events:
            for name in ("capabilities", "accepted"):
                known = event.obs.get(name)
                self.locks |= known if isinstance(known, dict) else {}


def part(old: bytes, new: bytes) -> Parting:
    """Compare two records that hold, which the caller has verified, and say why they part."""
    one, other = _Record(old), _Record(new)
    found = Parting(one, other)
    if found.same:
        found.shared = len(one.steps)
        return found
    found.causes += _asked(one.start, other.start)
    found.shared = _shared(one.steps, other.steps)
    for step in one.steps[found.shared :]:
        twin = other.by_path.get(step["path"])
        if twin is None:
            found.followed.append(Effect(step["path"], "only-old", []))
        else:
            _judge(found, step, twin)
    for step in other.steps[found.shared :]:
        if step["path"] not in one.by_path:
            found.followed.append(Effect(step["path"], "only-new", []))
    _finish(found, one, other)
    return found


def _finish(found: Parting, one: _Record, other: _Record) -> None:
    """Name a cause where the first difference has none: a record that breaks off, or one that no run left."""
    at = [side.steps[found.shared]["path"] if found.shared < len(side.steps) else None for side in (one, other)]
    if found.causes and (found.causes[0].path == "" or [found.causes[0].path] * 2 == at):
        return
    path = at[0] or at[1] or ""
    for record, step, which in ((one, at[0], "first"), (other, at[1], "second")):
        if record.end is None and step is None:
            found.causes.insert(0, Cause(END, path, [], f"the {which} record has no end"))
            return
    note = "nothing before it differs, so one of the records is not what its run left"
    found.causes.insert(0, Cause(EDITED, path, [], note))


def _asked(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Cause]:
    """Give what differs before the first node."""
    names = ("workflow", "workflow_digest")
    before, now = ({name: start[name] for name in names} for start in (old, new))
    if before != now:
        yield Cause(WORKFLOW, "", places(before, now))
    if encode(old["payload"]) != encode(new["payload"]):
        where = places(old["payload"], new["payload"])
        hidden = any(is_withheld(one) and is_withheld(other) for _, one, other in where)
        yield Cause(PAYLOAD, "", where, UNLIKE if hidden else None)
    if old["run"] != new["run"]:
        yield Cause(RUN, "", places(old["run"], new["run"]))


def _shared(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> int:
    """Count the first steps that are the same."""
    count = 0
    for one, other in zip(old, new, strict=False):
        if encode(one) != encode(other):
            break
        count += 1
    return count


def _judge(found: Parting, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Say of a step that both runs made whether it differs, and whether by itself."""
    differing = [name for name in _FIELDS if encode(old.get(name)) != encode(new.get(name))]
    if not differing:
        return
    name = differing[0]
    asked = old["capability"] is not None or old["kind"] == new["kind"] == WAITED
    answered = name in ("outcome", "output") and asked
    if not answered:
        found.followed.append(Effect(old["path"], name, places(old.get(name), new.get(name))))
        return
    locks = f"the code of `{old['capability']}` was sealed differently" if old["capability"] in found.locks else None
    gave = [{key: step[key] for key in ("outcome", "output")} for step in (old, new)]
    kind = CODE if old["effect"] == "PURE" else ANSWER
    if kind == CODE and locks is None:
        locks = f"`{old['capability']}` was sealed alike: what it relies on outside of the snapshot differs"
    found.causes.append(Cause(kind, old["path"], places(*gave), locks))


def places(old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """Return the first `MOST_PLACES` places where two values differ, as (JSON Pointer, old, new), in order."""
    found: list[tuple[str, Any, Any]] = []
    for place in _places("", old, new):
        if len(found) == MOST_PLACES:
            break
        found.append(place)
    return found


def _places(pointer: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if is_withheld(old) or is_withheld(new):
        if old != new:
            yield pointer, old, new
    elif type(old) is dict and type(new) is dict:
        for name in sorted(old.keys() | new.keys()):
            below = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            if name in old and name in new:
                yield from _places(below, old[name], new[name])
            else:
                yield below, old.get(name), new.get(name)
    elif type(old) is list and type(new) is list:
        for index in range(max(len(old), len(new))):
            if index < len(old) and index < len(new):
                yield from _places(f"{pointer}/{index}", old[index], new[index])
            else:
                one, other = (side[index] if index < len(side) else None for side in (old, new))
                yield f"{pointer}/{index}", one, other
    elif encode(old) != encode(new):
        yield pointer, old, new


def _told(found: list[tuple[str, Any, Any]]) -> list[dict[str, Any]]:
    return [{"pointer": pointer, "old": old, "new": new} for pointer, old, new in found]
