"""Which function stands behind which declared transform of the boundary; the compiler reads this and seals it."""

from __future__ import annotations

from .deciding import authoritative_facts, policy_evaluate

CATALOGUE = {
    "dbl::CT_AUTHORITATIVE_FACTS_V0": authoritative_facts,
    "dbl::CT_POLICY_EVALUATE_V0": policy_evaluate,
}
