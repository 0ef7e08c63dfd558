"""LangGraph: one graph, compiled once; recorded with its SQLite checkpointer as it is, a thread for each run.

Every node returns the number and its outcome as an update of the state; branches are conditional edges.
"""

from __future__ import annotations

import os
from itertools import count
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from work import PAYLOAD, graph

from serving import Run, serve

MOST_STEPS = 1000


class State(TypedDict):
    """What the nodes share."""

    n: int
    name: str
    outcome: str


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Compile the graph."""
    nodes = graph(work, seen)
    drawn: Any = StateGraph(State)

    def doing(function: Any) -> Any:
        def do(state: State) -> dict[str, Any]:
            outcome, output = function({"n": state["n"], "name": state["name"]})
            return {"n": output["n"], "outcome": outcome}

        return do

    for name, (function, routes) in nodes.items():
        drawn.add_node(name, doing(function))
        targets = {outcome: to or END for outcome, to in routes.items()}
        if len(targets) == 1:
            drawn.add_edge(name, next(iter(targets.values())))
        else:
            drawn.add_conditional_edges(name, lambda state: state["outcome"], targets)
    drawn.add_edge(START, next(iter(nodes)))
    saver = None
    if recorded:
        from langgraph.checkpoint.sqlite import SqliteSaver

        saver = SqliteSaver.from_conn_string(os.path.join(folder, "checkpoints.sqlite"))
    compiled = drawn.compile(checkpointer=saver.__enter__() if saver else None)
    numbers = count()

    def run() -> int:
        config = {"recursion_limit": MOST_STEPS, "configurable": {"thread_id": f"run-{next(numbers)}"}}
        ended = compiled.invoke({**PAYLOAD, "outcome": ""}, config)
        return int(ended["n"])

    run.keeps = saver  # type: ignore[attr-defined]  # it closes its database when nobody holds it any more
    return run


if __name__ == "__main__":
    serve(build)
