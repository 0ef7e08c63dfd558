"""Proof for strangers: keys and whom to trust, signed statements, the tree over all runs, bundles and their verifier.

Nothing here reads or writes files or asks a clock: bytes and instants come in, bytes and findings go out.
docs/proofs.md says what is proven by what; docs/formats.md has the bytes.
"""
