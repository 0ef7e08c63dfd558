"""Whoever appends to a ledger of decisions at once, by threads and by processes: no story but the three, one chain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deciding import LEDGER, OTHER, anchors, append, asked, everything
from interleaving import CORRELATIONS, wander
from omnibachi_ledger import open_root
from omnibachi_model.decisions import ALLOW, DECISION, DENY, EXECUTION, INTENT
from performing import everywhere, root

__all__ = ["root"]

HERE = Path(__file__).parent
STORIES = [(INTENT,), (INTENT, DENY), (INTENT, ALLOW), (INTENT, ALLOW, EXECUTION)]


@everywhere
def test_any_interleaving_leaves_the_three_stories(root: str) -> None:
    """Four threads and two processes append at random to the same few correlations of two ledgers."""
    with open_root(root) as ledger:
        append(ledger, INTENT, anchors("first"), asked())
    command = [sys.executable, str(HERE / "interleaving.py"), root]
    others = [
        subprocess.Popen([*command, str(seed), "40"], stdout=subprocess.PIPE, cwd=HERE, env=os.environ)
        for seed in (100, 101)
    ]
    with ThreadPoolExecutor(4) as threads:
        answers = sum(threads.map(lambda seed: wander(root, seed, 30), range(4)), Counter[str]())
    told = [json.loads(process.communicate(timeout=60)[0]) for process in others]
    assert all(found.get("SUCCESS", 0) + found.get("OUT_OF_ORDER", 0) for found in told)
    assert answers["SUCCESS"] + answers["OUT_OF_ORDER"] > 20
    with open_root(root, reading=True) as ledger:
        assert ledger.decisions(LEDGER).verify().fold.length == len(everything(ledger)) > 1
        for decisions in map(ledger.decisions, (LEDGER, OTHER)):
            found = decisions.verify()
            assert found.reason is None and found.fold.length > 1
            for number in range(CORRELATIONS):
                told = decisions.story(f"c-{number}")
                parts = tuple(one["payload"]["result"] if one["kind"] == DECISION else one["kind"] for one in told)
                assert parts in STORIES or not parts


@everywhere
def test_one_request_that_comes_at_once_from_everywhere_is_one_intent(root: str) -> None:
    """Twenty threads of one data root ask for the same; one begins it, and all others are told of it."""

    def ask(number: int) -> str:
        with open_root(root) as ledger:
            return append(ledger, INTENT, anchors(1), asked(form=("flat", "v2", "v3")[number % 3]))[0]

    with open_root(root):
        pass
    with ThreadPoolExecutor(20) as threads:
        answers = Counter(threads.map(ask, range(20)))
    assert answers == {"SUCCESS": 1, "ALREADY_EXISTS": 19}
    with open_root(root, reading=True) as ledger:
        assert ledger.decisions(LEDGER).verify().fold.length == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_lone_wanderer_leaves_them_too(tmp_path: Path, seed: int) -> None:
    answers = wander(str(tmp_path / "data"), seed, 60)
    assert answers["SUCCESS"] > 5 and answers["OUT_OF_ORDER"] > 5
    with open_root(str(tmp_path / "data"), reading=True) as ledger:
        assert ledger.decisions(LEDGER).verify().reason is None
