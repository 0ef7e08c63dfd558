"""What an observer folds of a ledger of decisions: verified events in, threads, turns and figures out.

Rules:

- An event is hashed anew and linked to the one before it ere anything of it counts. What does not hold is not folded.
- An index that is held already is compared: the same digest is skipped, another one is told.
- What is folded follows from the events alone: in whatever batches they come, however often, and from whatever memory
  the fold goes on, it is the same.
- A turn's verdict is what its DECISION says, and nothing before there is one.

Nothing here reads a clock or a file, and nothing of it is read by whoever decides. A turn is an immutable tuple of few
words and a digest is 32 bytes, so that a million events fit into the memory of a small machine, and what a fold holds
can be written down while it goes on.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from omnibachi_model.decisions import (
    ANCHORS,
    COVERED,
    DECISION,
    DERIVED,
    EXECUTION,
    INTENT,
    KINDS,
    PARENT,
    ZERO,
    digest_of_event,
    next_head,
    normative_digest,
)  # fmt: skip

from .turns import Asked, Thread, Turn, begun, counted, decided, executed, held, instant, milliseconds, text

FORMAT = "omnibachi.observer/1"
LATENCIES, PACKS = 5_000, 1_000  # how many of the latest are kept
MARKED = 3  # denials or errors of a thread, below which no rule says anything of it
MISMATCH, GAP, REWRITTEN = "mismatch", "gap", "rewritten"
_MEMBERS = {*COVERED, *DERIVED}
_TEXTS = (*(name for name in ANCHORS if name != PARENT), "actor", "normative_digest", "prev_event_digest", "digest")
_BYTES = 32
_PREFIX = "sha256:"
_NOTHING = (0, 0, 0, 0, 0)


class Stop(NamedTuple):
    """Why the fold does not go on: what is wrong (MISMATCH, GAP or REWRITTEN), with which index, in words."""

    what: str
    at_index: int
    why: str


class Folds:
    """What is folded of one ledger.

    `threads` stand in the order of their latest events, `turns` in that of their first; `asked` holds the turns without
    a DECISION by their place, `marked` the threads of which a rule may have something to say. `answered_ms` is when the
    gateway answered last, and `length` how many events it then had; they are no part of the projection.
    """

    __slots__ = (
        "_digests", "_places", "answered_ms", "asked", "deny_total", "head", "latencies", "length", "marked",
        "normative_head", "packs", "stopped", "threads", "turns",
    )  # fmt: skip

    def __init__(self) -> None:
        self.head = self.normative_head = ZERO
        self.threads: dict[str, Thread] = {}
        self.turns: list[Turn] = []
        self.asked: dict[int, Asked] = {}
        self.latencies: deque[int] = deque(maxlen=LATENCIES)
        self.packs: deque[str | None] = deque(maxlen=PACKS)
        self.marked: dict[str, Thread] = {}
        self.deny_total = 0
        self.stopped: Stop | None = None
        self.answered_ms: int | None = None
        self.length: int | None = None
        self._places: dict[tuple[str, str, str], int] = {}
        self._digests = bytearray()

    @property
    def event_count(self) -> int:
        """Return how many events are held: all from the first one on."""
        return len(self._digests) // _BYTES

    @property
    def last_index(self) -> int:
        """Return the index of the last event that is held, -1 where there is none."""
        return len(self._digests) // _BYTES - 1

    def digest_at(self, index: int) -> str:
        """Return the digest of a held event."""
        return _PREFIX + self._digests[index * _BYTES : (index + 1) * _BYTES].hex()

    def check(self, events: Sequence[Any], first: int | None = None) -> tuple[list[dict[str, Any]], Stop | None]:
        """Verify events and fold nothing: return those that are new, and what stops the rest.

        They ascend without gaps, from an index that is held or the next one, or from the index `first` if given.
        """
        fresh: list[dict[str, Any]] = []
        known = count = self.event_count
        head = self.head
        for number, event in enumerate(events):
            place = None if first is None else first + number
            index, digest, wrong = judged(event)
            if wrong is not None:
                at = place if place is not None else min(index, count) if index >= 0 else count
                return fresh, Stop(MISMATCH, at, f"event {at} does not hold: {wrong}")
            if index > count or (place is not None and index != place):
                at = count if place is None else place
                return fresh, Stop(GAP, at, f"event {at} is missing: event {index} comes next")
            if index < count:
                if digest != (self.digest_at(index) if index < known else fresh[index - known]["digest"]):
                    return fresh, Stop(REWRITTEN, index, f"event {index} is another than it was")
                continue
            if event["prev_event_digest"] != head:
                return fresh, Stop(MISMATCH, index, f"event {index} does not follow the one before it")
            fresh.append(event)
            count, head = count + 1, digest
        return fresh, None

    def put(self, events: Iterable[dict[str, Any]]) -> None:
        """Fold the next events, which were verified."""
        for event in events:
            self._digests += bytes.fromhex(event["digest"][len(_PREFIX) :])
            self.head = event["digest"]
            self._put(event)

    def fold(self, events: Sequence[Any]) -> list[dict[str, Any]]:
        """Verify and fold the next events, and return those that were folded; `stopped` says what stops the rest."""
        fresh, wrong = self.check(events)
        self.put(fresh)
        if wrong is not None:
            self.stopped = wrong
        return fresh

    def page(self, page: Mapping[str, Any], after: int, limit: int, held: int) -> list[dict[str, Any]]:
        """Fold a page of all streams that was asked for `after` an index, and return what was folded.

        Its length and heads are compared with what is held, `held` events when it was asked for. Where all of it holds,
        and it reaches back to where the fold stopped, that is over. Raises ValueError for what is no page.
        """
        events, length = page.get("events"), page.get("length")
        if type(events) is not list or type(length) is not int:
            raise ValueError("the answer is no page")
        self.length = length
        fresh, wrong = self.check(events, after + 1)
        self.put(fresh)
        wrong = wrong or self._beside(page, held, after + 1 + len(events), after + 1 + limit)
        if wrong is not None:
            self.stopped = wrong
        elif self.stopped is not None and after < self.stopped.at_index:
            self.stopped = None
        return fresh

    def _beside(self, page: Mapping[str, Any], before: int, reached: int, end: int) -> Stop | None:
        """Compare what a page says of the whole ledger: how long it is, and its heads."""
        length = page["length"]
        if length < before:
            return Stop(REWRITTEN, length, f"the ledger had {before} events, and {length} of them are there")
        if reached < min(end, length):
            return Stop(GAP, reached, f"event {reached} is missing: the ledger counts {length}")
        if length == self.event_count and page.get("v_digest") != self.head:
            return Stop(MISMATCH, max(length - 1, 0), "the ledger's v_digest is not the digest of its last event")
        if length == self.event_count and page.get("normative_head") != self.normative_head:
            return Stop(MISMATCH, max(length - 1, 0), "the ledger's normative_head is not what its decisions give")
        return None

    def _put(self, event: Mapping[str, Any]) -> None:
        kind, payload = event["kind"], event["payload"]
        place = (event["stream_id"], event["thread_id"], event["turn_id"])
        found = self._places.get(place)
        if found is None:
            found, old, turn = len(self.turns), None, self._begin(begun(event))
        else:
            old = self.turns[found]
            turn = old._replace(last_index=event["index"])
        if kind == INTENT:
            if turn.result is None:
                self.asked[found] = Asked(event["index"], instant(event["obs"].get("at")), event["normative_digest"])
        elif kind == DECISION:
            asked = self.asked.pop(found, None)
            if asked is not None:
                self.normative_head = next_head(self.normative_head, asked.digest, event["normative_digest"])
            self.packs.append(text(payload.get("policy_digest")))
            if turn.result is None:
                turn = decided(turn, payload)
        elif kind == EXECUTION:
            latency = milliseconds(event["obs"].get("latency_ms"))
            if latency is not None:
                self.latencies.append(latency)
            if turn.status is None:
                turn = executed(turn, payload, latency)
        self.turns[found] = turn
        self._count(found, old, turn)

    def _begin(self, turn: Turn) -> Turn:
        """Put a turn that is new at its place, and return it; its thread's id is held once."""
        thread = self.threads.get(turn.thread_id)
        if thread is not None:
            turn = turn._replace(thread_id=thread.thread_id)
        self._places[turn.stream_id, turn.thread_id, turn.turn_id] = len(self.turns)
        self.turns.append(turn)
        return turn

    def _count(self, place: int, old: Turn | None, new: Turn) -> None:
        """Count a turn that is new, or another than it was, in its thread, which is the latest now."""
        thread = self.threads.pop(new.thread_id, None)
        if thread is None:
            thread = Thread(new.thread_id, new.first_index, new.last_index, [])
        self.threads[new.thread_id] = thread
        thread.last_index = max(thread.last_index, new.last_index)
        if old is None:
            thread.turns.append(place)
        was = _NOTHING if old is None else counted(old)
        allow, deny, ok, error, pending = counted(new)
        thread.allow += allow - was[0]
        thread.deny += deny - was[1]
        thread.ok += ok - was[2]
        thread.error += error - was[3]
        thread.pending += pending - was[4]
        self.deny_total += deny - was[1]
        if thread.deny >= MARKED or thread.error >= MARKED:
            self.marked[thread.thread_id] = thread

    def to_json(self) -> dict[str, Any]:
        """Return all that is folded as JSON; what changes later does not change it."""
        return {
            "schema": FORMAT,
            "head": self.head,
            "normative_head": self.normative_head,
            # By columns: so many small objects at once would make the collector of garbage look at all the others.
            "turns": {name: [turn[place] for turn in self.turns] for place, name in enumerate(Turn._fields)},
            "asked": [(place, *asked) for place, asked in self.asked.items()],
            "latencies": list(self.latencies),
            "packs": list(self.packs),
            "digests": b64encode(self._digests).decode(),
        }


def folds_of(value: Any) -> Folds:
    """Return the fold that was written as JSON; raises ValueError for anything else."""
    folds = Folds()
    try:
        if value["schema"] != FORMAT:
            raise ValueError("it is of another format")
        folds._digests += b64decode(value["digests"], validate=True)
        folds.head, folds.normative_head = value["head"], value["normative_head"]
        folds.latencies.extend(value["latencies"])
        folds.packs.extend(map(text, value["packs"]))
        columns = [value["turns"][name] for name in Turn._fields]
        for place, row in enumerate(zip(*columns, strict=True)):
            folds._count(place, None, folds._begin(held(Turn(*row))))
        folds.asked = {place: Asked(*asked) for place, *asked in value["asked"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("it holds something else") from error
    if len(folds._digests) % _BYTES or folds.head != (folds.digest_at(folds.last_index) if folds._digests else ZERO):
        raise ValueError("its head is not its last digest")
    folds.threads = dict(sorted(folds.threads.items(), key=lambda item: item[1].last_index))
    return folds


def judged(event: Any) -> tuple[int, str, str | None]:
    """Hash an event anew, whatever stands before it: its index, -1 where it tells none; its digest; why it is none."""
    if type(event) is not dict or type(event.get("index")) is not int or event["index"] < 0:
        return -1, "", "it is no event"
    index = event["index"]
    if event.keys() != _MEMBERS or event["kind"] not in KINDS:
        return index, "", "its members are not those of an event"
    if any(type(event[name]) is not str for name in _TEXTS) or type(event[PARENT]) not in (str, type(None)):
        return index, "", "it has something else where a text stands"
    if type(event["payload"]) is not dict or type(event["obs"]) is not dict:
        return index, "", "it has something else where an object stands"
    try:
        if event["normative_digest"] != normative_digest(event):
            return index, "", "its normative_digest is another's"
        if (event["digest"], event["canon_len"]) != (found := digest_of_event(event)):
            return index, "", "its digest is another's, so it was changed"
    except TypeError:
        return index, "", "it has no canonical bytes"
    if event["is_authoritative"] is not (event["kind"] == DECISION):
        return index, "", "it says wrongly whether it is authoritative"
    return index, found[0], None
