"""`std::CS_ACCOUNTS_V0`: balances of accounts, which only double entry moves.

An account is the keyed record `{balance}` under its name. A posting is a record of the store's stream, so its number
is its sequence, it is written once, and its key is found by an index. What the store's declaration says stands in
`call.declared`: `overdraft` and `opened` name the accounts that are there from the start (the first may go below
zero), `open_on_receipt` tells whether receiving opens an account. The records of those accounts come with the store's
first write.
"""

from __future__ import annotations

from omnibachi_model.values import LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_model.ports import Call, Txn
    from omnibachi_model.values import Answer, Inputs

POSTING = "posting"  # what a posting is called in the store's stream


def open_(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Open an account with nothing on it."""
    account = inputs["account"]
    if _balance(account, store, call) is not None:
        return "ALREADY_EXISTS", {}
    _keep({account: 0}, store, call)
    return "SUCCESS", {}


def balance(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Read the balance of an account."""
    found = _balance(inputs["account"], store, call)
    return ("NOT_FOUND", {}) if found is None else ("SUCCESS", {"balance": found})


def post(inputs: Inputs, store: Txn, call: Call) -> Answer:
    """Move amounts between accounts, entry after entry, all or none; the same key again moves nothing."""
    entries = inputs["entries"]
    for entry in entries:
        if not 0 < entry["amount"] < LIMIT:
            return "VIOLATION", {"reason": "an amount is an integer from 1 to 9007199254740991"}
        if entry["from"] == entry["to"]:
            return "VIOLATION", {"reason": "an amount moves from one account to another"}
    # A key that was made here can never be one that was given.
    name = {"call": call.key} if inputs["key"] is None else {"key": inputs["key"]}
    found = store.find(POSTING, name)
    if found is not None:
        return "ALREADY_EXISTS", {"number": found[1], "entries": found[0]["entries"]}
    last = store.count({}, event=POSTING)
    if inputs["after"] not in (None, last):
        return "CONFLICT", {"number": last}
    balances: dict[str, int] = {}
    refusal = _move(entries, balances, store, call)
    if refusal is not None:
        return refusal
    _keep(balances, store, call)
    number = store.append(POSTING, {**name, "entries": entries})
    return "SUCCESS", {"number": number, "balances": balances}


def _move(entries: list[dict[str, Any]], balances: dict[str, int], store: Txn, call: Call) -> Answer | None:
    """Work out what each account has after all entries; return why one of them cannot be made, or None."""
    overdraft = call.declared.get("overdraft", ())
    for entry in entries:
        for side, opens in (("from", False), ("to", call.declared.get("open_on_receipt", False))):
            account = entry[side]
            if account not in balances:
                found = _balance(account, store, call)
                if found is None and not opens:
                    return "NOT_FOUND", {"account": account}
                balances[account] = found or 0
        giver, taker, amount = entry["from"], entry["to"], entry["amount"]
        if balances[giver] < amount and giver not in overdraft:
            return "INSUFFICIENT", {"account": giver, "balance": balances[giver]}
        balances[giver] -= amount
        balances[taker] += amount
        if balances[giver] <= -LIMIT or balances[taker] >= LIMIT:
            return "VIOLATION", {"reason": "a balance lies between -9007199254740991 and 9007199254740991"}
    return None


def _balance(account: str, store: Txn, call: Call) -> int | None:
    """Return the balance of an account, or None where there is no such account."""
    found: Any = store.get(account)
    if found is not None:
        return int(found[0]["balance"])
    return 0 if account in _from_the_start(call) else None


def _keep(balances: dict[str, int], store: Txn, call: Call) -> None:
    for account in _from_the_start(call):
        if account not in balances:
            store.put(account, {"balance": 0}, revision=0)
    for account, amount in balances.items():
        store.put(account, {"balance": amount})


def _from_the_start(call: Call) -> list[str]:
    return [*call.declared.get("overdraft", ()), *call.declared.get("opened", ())]
