"""Burr: one graph, an application for each run; recorded with its local tracker.

Every node is an action that writes the number and its outcome into the state; branches are conditions on the outcome.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from burr.core import ApplicationBuilder, GraphBuilder, State, action, when
from work import PAYLOAD, graph

from serving import Run, serve


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Make the graph."""
    nodes = graph(work, seen)

    def doing(function: Any) -> Any:
        @action(reads=["n", "name"], writes=["n", "outcome"])
        def do(state: State) -> State:
            outcome, output = function({"n": state["n"], "name": state["name"]})
            return state.update(n=output["n"], outcome=outcome)

        return do

    ways: list[Any] = []
    last = []
    for name, (_, routes) in nodes.items():
        targets = {outcome: to for outcome, to in routes.items() if to is not None}
        if not targets:
            last.append(name)
        elif len(targets) == 1:
            ways.append((name, *targets.values()))
        else:
            ways += [(name, to, when(outcome=outcome)) for outcome, to in targets.items()]
    made = GraphBuilder().with_actions(**{name: doing(function) for name, (function, _) in nodes.items()})
    drawn = made.with_transitions(*ways).build()
    first, numbers = next(iter(nodes)), count()

    def run() -> int:
        builder = ApplicationBuilder().with_graph(drawn).with_entrypoint(first)
        builder = builder.with_state(**PAYLOAD, outcome="").with_identifiers(app_id=f"run-{next(numbers)}")
        if recorded:
            builder = builder.with_tracker("local", project="peers", params={"storage_dir": folder})
        _, _, state = builder.build().run(halt_after=last)
        return int(state["n"])

    return run


if __name__ == "__main__":
    serve(build)
