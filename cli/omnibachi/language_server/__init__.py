"""The language server: what an editor sees of a workspace while it is being written.

`desk` holds the texts that are open and asks the compiler about them; `positions` turns places into an editor's and
back; `server` speaks the protocol, by way of pygls. Nothing here writes a file: edits are handed to the editor.
"""
