"""Ledgers of decisions: what was asked, what was decided, what was done, in events that only grow.

`appending.py` is the store that a capability gets, which writes inside its effect's own transaction; `pages.py` reads;
`fold.py` says what a sequence of events must be, and `verifying.py` asks it of a database or of an export;
`checkpoints.py` holds what a ledger was at some time. Nothing here repairs: a ledger that does not hold is read on, and
not appended to. What an event is, and what its digests cover, stands in the model (`omnibachi_model.decisions`).
"""
