"""Make `shapes.json`: task graphs of scientific workflows, drawn by WfCommons' recipes, as lists of parents by index.

Run it where `wfcommons` (1.6) is installed; nothing else here needs it. Tasks are numbered in a topological order.
"""

from __future__ import annotations

import json
import random
import sys

import networkx as nx
import numpy
from wfcommons import (
    BlastRecipe,
    BwaRecipe,
    CyclesRecipe,
    EpigenomicsRecipe,
    GenomeRecipe,
    MontageRecipe,
    RnaseqRecipe,
    SeismologyRecipe,
    SoykbRecipe,
    SrasearchRecipe,
    WorkflowGenerator,
)  # fmt: skip

RECIPES = (
    BlastRecipe, BwaRecipe, CyclesRecipe, EpigenomicsRecipe, GenomeRecipe, MontageRecipe, RnaseqRecipe,
    SeismologyRecipe, SoykbRecipe, SrasearchRecipe,
)  # fmt: skip
SIZES = (60, 110, 180)  # a recipe has a smallest size of its own
SEED = 4


def main(file: str) -> None:
    """Write the shapes to `file`."""
    random.seed(SEED)
    numpy.random.seed(SEED)
    shapes: dict[str, list[list[int]]] = {}
    for recipe in RECIPES:
        for size in SIZES:
            try:
                graph = WorkflowGenerator(recipe.from_num_tasks(size)).build_workflow()
            except ValueError:
                continue
            order = list(nx.lexicographical_topological_sort(graph))
            index = {name: number for number, name in enumerate(order)}
            name = f"{recipe.__name__.removesuffix('Recipe').lower()}-{len(order)}"
            if graph.size():
                shapes[name] = [sorted(index[parent] for parent in graph.predecessors(task)) for task in order]
    lines = [
        f"{json.dumps(name)}:{json.dumps(parents, separators=(',', ':'))}" for name, parents in sorted(shapes.items())
    ]
    with open(file, "w", encoding="utf-8") as out:
        out.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
