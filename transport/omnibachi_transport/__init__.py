"""The doors: HTTP of the gateway and of the observer, and who may knock.

This room carries what it is handed: it decides nothing, executes nothing, and reaches ledger, workflow and folds
through ports alone.
"""
