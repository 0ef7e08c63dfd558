"""Reaching: for what no scenario reached, a payload that reaches it, found by running and mending.

The workflow is run with a payload, what it did is compared with the cheapest road to the place, and where the run left
that road the world is mended: another payload that fulfils what the step asks, or a forced answer of a capability where
no payload decides. Then it is run again. What is given out ran once more, in a fresh world, and did reach the place.

Nothing outside is ever called and nobody is asked: answers of EXTERNAL effects and of people are always forced.
Everything is bounded by one `Effort`, and the same workspace always gives the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from omnibachi.engine import Engine
from omnibachi_model.digests import decode, encode
from omnibachi_model.sealed import EXTERNAL, FAULT, HOSTS, PASS, REJECTED_EXIT, SUCCESS, WAIT

from .coverage import EXITED, HELD, Place, places_of
from .laws import says_something
from .roads import BARRED, Road, Roads, Step, wish_of
from .specimens import specimen, specimens
from .stage import ANSWERED, Stage
from .tours import Stop, tour
from .variables import Variable, of_template
from .wishes import Depending, Effort, Wish, fulfilled, roots_of
from .worlds import Linked, World

MOST_ROADS = 6
MOST_BASES = 3
MOST_TURNS = 40
MOST_SEEDS = 8
MOST_TRIES = 24
PARTIAL = "PARTIAL"
CRASHES_ONLY = "only the crash of an expression leads there"


class Found(NamedTuple):
    """What reaches a place: a payload, forced answers by node, whether the second run of it does, and where it ends."""

    payload: Any
    answers: dict[str, tuple[str, Any]]
    twice: bool
    exit: str

    @property
    def rank(self) -> tuple[int, bool]:
        """How much has to be assumed: the less the better."""
        return len(self.answers), self.twice


class Run(NamedTuple):
    """One run of a try: its tour, and where it ended."""

    stops: list[Stop]
    exit: str
    taken: frozenset[Step]


class Finder:
    """The search in one workflow; `seeds` are payloads that scenarios send to it, and `missed` what is looked for."""

    def __init__(
        self, stage: Stage, address: str, seeds: Sequence[Any], missed: Sequence[Place], effort: Effort
    ) -> None:
        self.stage = stage
        self.address = address
        self.workflow = stage.sealed(address)
        self.missed = list(missed)
        self.effort = effort
        self.found: dict[Place, Found] = {}
        self.reasons: dict[Place, str] = {}
        self._linked = Linked(self.workflow)
        self._nodes = self._linked.nodes
        self._index = {node["name"]: index for index, node in enumerate(self._nodes)}
        self._roads = Roads(self.workflow)
        self._cost = len(self._nodes) + 200
        self._laws = stage.laws(address)
        self._runs: dict[bytes, list[Run]] = {}
        self._engines: dict[bytes, Engine] = {}
        self._bases: list[World] = []
        self._wishes: dict[tuple[Step, int | None], tuple[Wish, frozenset[Any]] | None] = {}
        self._seeds = seeds

    def find(self) -> None:
        """Look for everything that was missed; `found` and `reasons` hold what came of it."""
        try:
            self._search_all()
        finally:
            for engine in self._engines.values():
                engine.close()
        proven: dict[int, set[Place]] = {}  # by identity: one run reaches many places
        for place in self.missed:
            found = self.found.get(place)
            if found is not None and id(found) not in proven:
                proven[id(found)] = self._reached(found)
            if found is not None and place not in proven[id(found)]:
                del self.found[place]
                self.reasons[place] = "what reached it once did not in a fresh world"

    def _search_all(self) -> None:
        outside = {
            index: _answer(node, SUCCESS if SUCCESS in node["outcomes"] else next(iter(node["outcomes"]), FAULT))
            for index, node in enumerate(self._nodes)
            if node["kind"] == WAIT or node.get("effect") == EXTERNAL or HOSTS in node
        }
        for payload in [*self._seeds, *specimens(self.workflow["payload"], 3)][:MOST_SEEDS]:
            if isinstance(payload, dict):
                self._bases.append(World(self._linked, payload, outside, {}))
        for base in self._bases:
            self._tried(base)
        # What the gate rejects is found at once, and should not wait for what takes all the effort.
        for place in sorted(self.missed, key=lambda place: place[1] != REJECTED_EXIT):
            if self.effort.left > 0 and (place not in self.found or self.found[place].answers):
                self._search(place)
        for place in self.missed:
            if place[2] == PARTIAL and place not in self.found:
                self._mix(place)

    def _search(self, place: Place) -> None:
        goal = self._goal(place)
        if goal is None or not self._bases:
            return self._give_up(
                place, "no payload that fits was found" if not self._bases else "no run of the search came to it"
            )
        index, tail, row = goal
        if self._nodes[index]["name"] == REJECTED_EXIT and self._misfits(place):
            return None
        weights = self._trodden()
        reason = CRASHES_ONLY
        for _ in range(MOST_ROADS):
            way = self._roads.to(index, weights) if self.effort.spend(len(self._nodes) // 2) else None
            if way is None:
                break
            road = [*way[1], *tail]
            road = [step for taken in road for step in (*self._roads.within(taken, weights), taken)]
            stuck = self._travelled(place, road, row)
            if stuck is None:
                return None
            reason = self._stuck(road[stuck]) if road else CRASHES_ONLY
            if not road or self.effort.left <= 0:
                break
            self._bar(road[: stuck + 1], weights)
        return self._give_up(place, reason)

    def _bar(self, road: Road, weights: dict[Step, int]) -> None:
        """Bar the last step of a road; where it was barred before and all roads take it, one before it that need not be
        taken."""
        others = (step for step in reversed(road[:-1]) if len(self._nodes[step[0]]["next"].keys() - {FAULT}) > 1)
        fresh = (step for step in (road[-1], *others) if weights.get(step, 0) < BARRED)
        step = next(fresh, road[-1])
        weights[step] = weights.get(step, 0) + BARRED

    def _give_up(self, place: Place, reason: str) -> None:
        if place not in self.found:
            self.reasons[place] = reason if self.effort.left > 0 else "the search was cut short"

    def _goal(self, place: Place) -> tuple[int, Road, int | None] | None:
        """Return the node of a place, the steps behind the arrival there, and the row that must win."""
        _, name, what = place
        if what == HELD:
            return None
        index = self._index[name]
        if what.startswith("row "):
            row = int(what[4:]) - 1
            return index, [(index, self._nodes[index]["rows"][row]["outcome"])], row
        return index, [(index, what)] if what not in ("", EXITED) else [], None

    def _trodden(self) -> dict[Step, int]:
        """Return weights for what the bases' runs took already: it costs nothing."""
        return {
            (stop.at, stop.left_by): 0 for base in self._bases for run in self._tried(base)[:1] for stop in run.stops
        }

    def _travelled(self, place: Place, road: Road, row: int | None) -> int | None:
        """Follow a road from the bases that come farthest; None when the place was reached, else where it ends."""
        far = sorted(self._bases, key=lambda base: -self._first_left(base, road))
        stuck = 0
        for base in far[:MOST_BASES]:
            world = base
            for _ in range(MOST_TURNS):
                self.effort.spend(len(road) // 4)
                runs = self._tried(world)
                if place in self.found and not self.found[place].answers:
                    return None
                at = self._first_left(world, road)
                if at == len(road):
                    at -= 1  # the run came along, and it is the row, or the place itself, that is still missing
                stuck = max(stuck, at)
                if at < 0 or not runs or self.effort.left <= 0:
                    break
                known = {stop.at: stop.event["output"] for stop in reversed(runs[0].stops) if _answered(stop)}
                seen = World(self._linked, world.payload, world.answers, known)
                mended = self._mended(seen, road, at, row if at == len(road) - 1 else None)
                if mended is None or _same(mended, seen):
                    break
                world = mended
            if place in self.found:
                return None
        return stuck

    def _first_left(self, world: World, road: Road) -> int:
        """Return the position of the first step of a road that the run of a world did not take."""
        runs = self._tried(world)
        taken = runs[0].taken if runs else frozenset()
        return next((at for at, step in enumerate(road) if step not in taken), len(road))

    def _mended(self, world: World, road: Road, at: int, row: int | None) -> World | None:
        """Return another world in which the step at a position may be taken, and still those before it."""
        step = road[at]
        node = self._nodes[step[0]]
        wish = self._wish(step, row)
        kept = self._kept(road[:at])
        if wish is not None:
            # What holds farther on had better go on holding; where that cannot be, what lies behind us must.
            ahead = [other for other in self._kept(road[at + 1 :]) if self.effort.spend(1) and other[0].holds(world)]
            for others in (ahead, []) if ahead else ([],):
                other = fulfilled(world, wish[0], [*kept, *others], self.effort)
                if other is not None and not _same(other, world):
                    return other
        if node["kind"] in ANSWERED:
            held = world.answers.get(step[0])
            if (
                held is None
                and node.get("effect") == "PURE"
                and (driven := self._driven(world, step, kept)) is not None
            ):
                return driven
            return None if held is not None and held[0] == step[1] else self._answering(world, {step[0]: step[1]})
        if wish is None:
            return None
        chosen = dict(road[:at])
        calls = {int(scope) for scope, _ in wish[0].variables(world) if scope != "payload"} - world.answers.keys()
        wanted = {index: chosen.get(index) or _first(self._nodes[index]) for index in sorted(calls)}
        answering = self._answering(world, wanted)
        return fulfilled(answering, wish[0], kept, self.effort) if answering is not None and wanted else None

    def _wish(self, step: Step, row: int | None = None) -> tuple[Wish, frozenset[Any]] | None:
        """Return what a step asks of the world, with the roots of its variables."""
        if (step, row) not in self._wishes:
            wish = wish_of(self._nodes, step, row)
            roots = roots_of(wish.variables(self._bases[0])) if wish is not None else frozenset()
            self._wishes[step, row] = None if wish is None else (wish, roots)
        return self._wishes[step, row]

    def _kept(self, road: Road) -> Depending:
        return [wish for step in road if (wish := self._wish(step)) is not None]

    def _driven(self, world: World, step: Step, kept: Depending) -> World | None:
        """Return a world whose payload makes a transform give an outcome: one of its examples, or some other value."""
        node = self._nodes[step[0]]
        members = node["with"][1] if node["with"][0] == "map" else {}
        behind = {key: of_template(template, self._nodes) for key, template in members.items()}
        tries: list[list[tuple[Variable, Any]]] = []
        for example in self.stage.examples(node["use"]):
            if example["gives"] == step[1]:
                given = example.get("with", {})
                tries.append([(found[0], given[key]) for key, found in behind.items() if found and key in given])
        variables = list(dict.fromkeys(variable for found in behind.values() for variable in found))
        tries += [[(variable, value)] for variable in variables for value in specimens(world.type_of(variable))]
        for changes in tries[:MOST_TRIES]:
            other: World | None = world
            for variable, value in changes:
                other = other.with_value(variable, value) if other is not None else None
            if other is None or not other.fits() or not all(wish.holds(other) for wish, _ in kept):
                continue
            runs = self._tried(other)
            if runs and step in runs[0].taken:
                return other
        return None

    def _answering(self, world: World, wanted: Mapping[int, str]) -> World | None:
        """Return a world in which capabilities give these outcomes unasked, with what they gave before if it fits."""
        answers = dict(world.answers)
        for index, outcome in wanted.items():
            node = self._nodes[index]
            output = world.known.get(index)
            if outcome != FAULT and output is not None and not self._linked.schema(node["outcomes"][outcome])(output):
                answers[index] = (outcome, output)
            else:
                answers[index] = _answer(node, outcome)
            if answers[index][0] != outcome:
                return None
        return World(self._linked, world.payload, answers, world.known)

    def _misfits(self, place: Place) -> bool:
        """Try payloads that do not fit: nothing at all, and each member of a base left out or of another type."""
        base = self._bases[0].payload
        tries: list[Any] = [{}, *({key: base[key] for key in base if key != left} for left in base)]
        tries += [{**base, key: None if value is not None else 0} for key, value in base.items()]
        for payload in [*tries, {**base, "unknown": 1}][:30]:
            self._tried(World(self._linked, payload, {}, {}))
            if place in self.found:
                return True
        return False

    def _mix(self, place: Place) -> None:
        """Try a loop with one item that it did well with and one that it did not, as earlier runs have shown them."""
        index = self._index[place[1]]
        node = self._nodes[index]
        lists = [variable for variable in of_template(node["items"], self._nodes) if variable[0] == "payload"]
        seen: dict[bool, tuple[World, Any]] = {}
        for key, runs in self._runs.items():
            payload, answers = decode(key)
            world = World(self._linked, payload, {}, {})
            for stop in runs[0].stops if runs and not answers else ():
                if stop.at == index and stop.event is not None:
                    results = stop.event["output"].get("items", ())
                    for item, result in zip(world.build(node["items"]), results, strict=False):
                        seen.setdefault(result["outcome"] in node["good"], (world, item))
        if len(seen) == 2 and lists:
            world = seen[True][0]
            mixed = world.with_value(lists[0], [seen[True][1], seen[False][1]])
            if mixed is not None and mixed.fits():
                self.effort.left = max(self.effort.left, 1)  # this one run more is never too much
                self._tried(mixed)

    def _tried(self, world: World) -> list[Run]:
        """Run a world, a second time too where that may differ, and take note of what was reached."""
        answers = {self._nodes[index]["name"]: answer for index, answer in world.answers.items()}
        key = encode([world.payload, {name: list(answer) for name, answer in answers.items()}])
        if key not in self._runs:
            times = 2 if self.workflow["journal"] else 1
            runs: list[Run] = []
            if self.effort.spend(self._cost * times):
                runs = self._run(self._engine(answers), world.payload, times)
            self._runs[key] = runs
            for number, run in enumerate(runs):
                self._note(world.payload, answers, run, number > 0)
        return self._runs[key]

    def _engine(self, answers: dict[str, tuple[str, Any]]) -> Engine:
        """Return an engine with an empty store; the one that forces nothing is linked once."""
        key = encode({name: list(answer) for name, answer in answers.items()})
        if key not in self._engines:
            while len(self._engines) >= 4:
                self._engines.pop(next(iter(self._engines))).close()
            self._engines[key] = self.stage.engine({}, answers)
        engine = self._engines[key]
        engine.close()
        return engine

    def _run(self, engine: Engine, payload: Any, times: int) -> list[Run]:
        runs = []
        for number in range(1, times + 1):
            result = engine.run(self.address, payload, trace_id=f"step-{number}")
            if result.exit is None:
                break
            stops = tour(self.workflow, [decode(body) for _, body, _ in result.events])
            runs.append(Run(stops, result.exit, frozenset((stop.at, stop.left_by) for stop in stops)))
        return runs

    def _note(self, payload: Any, answers: dict[str, tuple[str, Any]], run: Run, twice: bool) -> None:
        passed = {self._nodes[stop.at]["name"] for stop in run.stops}
        found = Found(payload, {name: answer for name, answer in answers.items() if name in passed}, twice, run.exit)
        for place in self._places(run):
            if place not in self.found or found.rank < self.found[place].rank:
                self.found[place] = found

    def _places(self, run: Run) -> set[Place]:
        reached, _ = places_of(self.workflow, run.stops, run.exit)
        laws = {name for name, law in self._laws.items() if says_something(law, self.workflow, run.stops)}
        return reached | {(self.address, name, HELD) for name in laws}

    def _reached(self, found: Found) -> set[Place]:
        """Run what was found in a fresh world and return what its last run reached."""
        with self.stage.engine({}, found.answers) as engine:
            runs = self._run(engine, found.payload, 2 if found.twice else 1)
        return self._places(runs[-1]) if len(runs) == (2 if found.twice else 1) else set()

    def _stuck(self, step: Step) -> str:
        node = self._nodes[step[0]]
        if node["kind"] == PASS or not step[1]:
            return f"no payload was found that enters `{node['name']}`"
        return f"no payload was found with which `{node['name']}` ends in {step[1]}"


def _same(one: World, other: World) -> bool:
    return (
        one.payload == other.payload and one.answers == other.answers and encode(one.payload) == encode(other.payload)
    )


def _answered(stop: Stop) -> bool:
    return stop.event is not None and stop.left_by != FAULT


def _first(node: Mapping[str, Any]) -> str:
    return SUCCESS if SUCCESS in node["outcomes"] else next(iter(node["outcomes"]))


def _answer(node: Mapping[str, Any], outcome: str) -> tuple[str, Any]:
    """Return a forced answer with the simplest output that fits; a crash where there is none."""
    try:
        return outcome, {} if outcome == FAULT else specimen(node["outcomes"][outcome])
    except LookupError:
        return FAULT, {}
