"""transitions: a state machine made once; a run sets it back to its start and pulls triggers until it is done.

Every node is a state whose `on_enter` calls the node's function; its outcome is the next trigger. There is no record.
"""

from __future__ import annotations

from typing import Any

from transitions import Machine
from work import PAYLOAD, graph

from serving import CannotDo, Run, serve


class Model:
    """What the machine moves: the number so far and the outcome of the last function."""

    n = 0
    name = ""
    outcome = ""
    state = "start"
    trigger: Any


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Make the machine."""
    if recorded:
        raise CannotDo("keeps no record of a run")
    nodes, model = graph(work, seen), Model()

    def entering(function: Any) -> Any:
        def enter() -> None:
            model.outcome, output = function({"n": model.n, "name": model.name})
            model.n = output["n"]

        return enter

    first = next(iter(nodes))
    states: list[Any] = ["start", "done"]
    states += [{"name": name, "on_enter": entering(function)} for name, (function, _) in nodes.items()]
    moves = [["begin", "start", first]]
    moves += [[outcome, name, to or "done"] for name, (_, routes) in nodes.items() for outcome, to in routes.items()]
    machine = Machine(model, states=states, transitions=moves, initial="start", auto_transitions=False)

    def run() -> int:
        model.n, model.name, model.outcome = PAYLOAD["n"], PAYLOAD["name"], "begin"
        machine.set_state("start")
        while model.state != "done":
            model.trigger(model.outcome)
        return model.n

    return run


if __name__ == "__main__":
    serve(build)
