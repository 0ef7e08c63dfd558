"""`blockchain::CT_HOLDINGS_V0`: balances without an account that is nobody's."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs


def holdings(inputs: Inputs) -> Answer:
    """Give all balances but that of one account."""
    kept = {account: balance for account, balance in inputs["balances"].items() if account != inputs["without"]}
    return "SUCCESS", {"balances": kept}
