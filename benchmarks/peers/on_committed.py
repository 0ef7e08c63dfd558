"""OmniBachi where every node of the ten is committed before the next begins, to a database on disk.

That is what DBOS and LangGraph's checkpointer do with every step. A transform alone is never committed, for it can be
computed again; so each is followed by an effect, one event in a store, which makes twice as many nodes.
"""

from __future__ import annotations

import os

from on_omnibachi import shop, workspace
from work import PAYLOAD

from serving import CannotDo, Run, serve


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Open an engine with a data root."""
    if not recorded or work != "ten":
        raise CannotDo("is the ten nodes with a record alone")
    engine = workspace().engine(os.path.join(folder, "data"))

    def run() -> int:
        result = engine.run(shop.COMMITTED, PAYLOAD)
        if seen is not None:
            seen.extend(step.node for step in result.path if step.node.startswith("node_"))
        assert result.result is not None
        return int(result.result["n"])

    return run


if __name__ == "__main__":
    serve(build)
