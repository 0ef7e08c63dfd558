"""Hamilton: a driver made once over a module of functions, one for each node, that take what the node before returns.

There is no record on the own disk: its tracker is a server's. A dataflow has no branches that are chosen while it runs.
"""

from __future__ import annotations

import os
from typing import Any

os.environ["HAMILTON_TELEMETRY_ENABLED"] = "false"

from hamilton import ad_hoc_utils, driver
from work import PAYLOAD, graph

from serving import CannotDo, Run, serve


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Make the driver."""
    if recorded:
        raise CannotDo("keeps no record of a run on the own disk; its tracker is a server")
    if work == "branches":
        raise CannotDo("a dataflow computes what is asked for; which node is next is not chosen by an outcome")
    nodes = graph(work, seen)
    functions = []
    before = "n"
    for name, (function, _) in nodes.items():
        functions.append(_declared(name, before, function))
        before = name
    made = driver.Builder().with_modules(ad_hoc_utils.create_temporary_module(*functions)).build()

    def run() -> int:
        return int(made.execute([before], inputs=PAYLOAD)[before])

    return run


def _declared(name: str, before: str, function: Any) -> Any:
    """Write the function of a node; Hamilton reads the graph from names of functions and parameters."""
    place: dict[str, Any] = {"function": function}
    parameters = f"{before}: int" + ("" if before == "name" else ", name: str")
    text = f"def {name}({parameters}) -> int:\n    return function({{'n': {before}, 'name': name}})[1]['n']\n"
    exec(text, place)
    return place[name]


if __name__ == "__main__":
    serve(build)
