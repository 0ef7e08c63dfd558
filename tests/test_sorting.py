"""The order of nodes is that of networkx's lexicographical sort, and what is on a circle is left out."""

from __future__ import annotations

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler.sorting import sorted_topologically

NAMES = st.sampled_from([f"n{number}" for number in range(12)])
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=40)


def edges_of(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Return edges by their beginnings; every name is a key."""
    edges: dict[str, list[str]] = {name: [] for pair in pairs for name in pair}
    for one, other in pairs:
        edges[one].append(other)
    return edges


@settings(max_examples=200, deadline=None)
@given(PAIRS, st.sets(NAMES))
def test_the_order_is_that_of_networkx(pairs: list[tuple[str, str]], last: set[str]) -> None:
    forward = [(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]]
    edges = edges_of(forward)
    graph: nx.DiGraph[str] = nx.DiGraph(edges)
    expected = list(nx.lexicographical_topological_sort(graph, key=lambda name: (name in last, name)))
    assert sorted_topologically(edges, last) == expected
    assert sorted_topologically(dict(reversed(edges.items())), last) == expected


@settings(max_examples=200, deadline=None)
@given(PAIRS)
def test_what_is_on_a_circle_or_behind_one_is_left_out(pairs: list[tuple[str, str]]) -> None:
    edges = edges_of(pairs)
    graph: nx.DiGraph[str] = nx.DiGraph(edges)
    circles = {name for name in graph if _comes_back(graph, name)}
    behind = {name for circle in circles for name in nx.descendants(graph, circle)}
    assert set(sorted_topologically(edges)) == set(edges) - circles - behind


def _comes_back(graph: nx.DiGraph[str], name: str) -> bool:
    return any(nx.has_path(graph, target, name) for target in graph[name])
