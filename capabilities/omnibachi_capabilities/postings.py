"""`blockchain::CT_POSTINGS_V0`: what the transactions of a block move."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from omnibachi_model.values import Answer, Inputs

SUPPLY = "SUPPLY"  # what is minted comes from there, what is burned goes there


def postings(inputs: Inputs) -> Answer:
    """Give {from, to, amount} of each transaction; MINT has no payer, BURN no payee, every other one has both.

    The supply is no wallet: only POOL names it, as its payer.
    """
    entries = []
    for transaction in inputs["transactions"]:
        kind, payer, payee = transaction["tx_type"], transaction["from_wallet"], transaction["to_wallet"]
        if (payer is None) is not (kind == "MINT") or (payee is None) is not (kind == "BURN"):
            return "VIOLATION", {}
        if payee == SUPPLY or (payer == SUPPLY and kind != "POOL"):
            return "VIOLATION", {}
        entries.append(
            {
                "from": SUPPLY if payer is None else payer,
                "to": SUPPLY if payee is None else payee,
                "amount": transaction["amount"],
            }
        )
    return "SUCCESS", {"entries": entries}
