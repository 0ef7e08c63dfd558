"""Somebody who appends to two ledgers of decisions whatever comes to mind, in any order, while others do the same.

As a program: interleaving.py DATA_ROOT SEED STEPS; what each append was answered with is printed at the end.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter

from deciding import LEDGER, OTHER, anchors, append, asked, decided, done
from omnibachi_ledger import open_root
from omnibachi_model.decisions import ALLOW, DECISION, DENY, EXECUTION, INTENT
from omnibachi_model.diagnostics import Trouble

CORRELATIONS = 6


def wander(root: str, seed: int, steps: int) -> Counter[str]:
    """Append so many events of few correlations at random; return how often each answer came."""
    chance, answers = random.Random(seed), Counter[str]()
    with open_root(root) as ledger:
        for _ in range(steps):
            number, store = chance.randrange(CORRELATIONS), chance.choice((LEDGER, LEDGER, OTHER))
            kind = chance.choice((INTENT, DECISION, DECISION, EXECUTION, EXECUTION))
            where = anchors(number, **({"lane": "wrong"} if chance.random() < 0.1 else {}))
            if chance.random() < 0.05:
                where["turn_id"] = f"turn-{chance.randrange(CORRELATIONS)}"
            payload = {
                INTENT: asked(chance.choice(("a", "a", "b"))), DECISION: decided(chance.choice((ALLOW, ALLOW, DENY))),
                EXECUTION: done(chance.choice(("ok", "error"))),
            }[kind]  # fmt: skip
            try:
                answers[append(ledger, kind, where, payload, store)[0]] += 1
            except Trouble as trouble:
                if trouble.diagnostic.code != "OB721":  # many wait for one writer
                    raise
    return answers


if __name__ == "__main__":
    print(json.dumps(wander(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
