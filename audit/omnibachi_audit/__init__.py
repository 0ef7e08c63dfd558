"""Promise compared with record, without forgiveness: verification of traces (`verify`) and of snapshots (`snapshots`).

An auditor trusts nothing that it was handed: it recomputes every digest, and whatever it is given, it answers.
"""
