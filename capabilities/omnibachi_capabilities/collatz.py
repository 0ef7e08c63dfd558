"""`ai_governance::CT_COLLATZ_V0`: follow a number by the rule of Collatz until it is known how that ends.

The rule: half of an even number; three times an odd one, and one more. The conjecture says that every whole number from
1 on comes to 1. It is not proven, so a number that comes back to itself without 1 is an answer here, not a mistake.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs

LARGEST = 2**53 - 1  # of the integers that every reader of JSON understands alike


def collatz(inputs: Inputs) -> Answer:
    """Follow `number` for at most `max_steps` steps; both count from 1 on."""
    number, max_steps = inputs["number"], inputs["max_steps"]
    return follow(number, max_steps) if number >= 1 and max_steps >= 1 else ("VIOLATION", {})


def follow(number: int, max_steps: int) -> Answer:
    """Follow any whole number: to 1 (SUCCESS), round in a circle (CYCLE), or no further (EXHAUSTED).

    The terms begin with the number itself, so 1 has one term and no step.
    """
    term, terms = number, [number]
    seen = {number}
    while term != 1:
        following = 3 * term + 1 if term % 2 else term // 2
        if len(terms) > max_steps or following > LARGEST:
            return "EXHAUSTED", {"steps": len(terms) - 1}
        if following in seen:
            return "CYCLE", {"term": following}
        term = following
        terms.append(term)
        seen.add(term)
    return "SUCCESS", {"terms": terms, "length": len(terms), "peak": max(terms)}
