"""A bundle: one run with everything that proves it, in one archive with the verifier for whoever gets it.

The same parts always give the same bytes. The verifier, `stranger`, stands alone: it is what strangers read and run, so
nothing of the house is imported there, and what this room says of a bundle is said by it as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from omnibachi_model.digests import digest, pretty

from . import stranger

FORMAT = "omnibachi.bundle/1"
VERIFIER = stranger.__file__


def bundled(run: str, parts: Mapping[str, bytes]) -> bytes:
    """Return the archive of a run's parts, by their names in it (docs/formats.md), with their index."""
    index = {"format": FORMAT, "run": run, "parts": {name: digest(data) for name, data in parts.items()}}
    return stranger.packed({**parts, "bundle.json": pretty(index)})
