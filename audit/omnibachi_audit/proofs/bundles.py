"""A bundle: one run with everything that proves it, in one archive with the verifier for whoever gets it.

The same parts always give the same bytes. The verifier, `stranger`, stands alone: it is what strangers read and run, so
nothing of the house is imported there, and what this room says of a bundle is said by it as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from omnibachi_audit.verify import ANCHORED, BROKEN, INTACT
from omnibachi_model.diagnostics import Diagnostic
from omnibachi_model.digests import digest, pretty

from . import stranger
from .keys import Unreadable
from .trust import Trust, trust_of

FORMAT = "omnibachi.bundle/1"
VERIFIER = stranger.__file__


def bundled(run: str, parts: Mapping[str, bytes]) -> bytes:
    """Return the archive of a run's parts, by their names in it (docs/formats.md), with their index."""
    index = {"format": FORMAT, "run": run, "parts": {name: digest(data) for name, data in parts.items()}}
    return stranger.packed({**parts, "bundle.json": pretty(index)})


def judged_bundle(data: bytes, trusted: bytes | None) -> tuple[str, list[str], list[Diagnostic]]:
    """Return the verdict on a bundle, what anchors it, and what is to be said of it (OB740, OB614; OB617, a warning).

    Only `trusted`, a trust file, anchors; the keys that came with the bundle do not. Its verifier may be of another
    version than this one.
    """
    found: list[str] = []
    told: list[tuple[str, bool]] = []
    try:
        trust_of(trusted or Trust().written())
        told = stranger.verified(stranger.unpacked(data, found), trusted, found)
    except Unreadable as error:
        message = f"the trust file cannot be read: {error}"
        return INTACT, [], [Diagnostic("OB614", message, help="mend or restore it")]
    except stranger.Bad as bad:
        found.append(str(bad))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        found.append(f"a part has not the form that it should have ({error})")
    if found:
        help = "do not rely on it; get it anew from whoever made it"
        return BROKEN, [], [Diagnostic("OB740", f"the bundle is broken: {reason}", help=help) for reason in found]
    if trusted is None:
        message = "the evidence in the bundle agrees with the keys that came with it, and nobody here trusts those"
        help = "name a trust file with `--trust`, with keys that you know from elsewhere"
        return INTACT, [], [Diagnostic("OB617", message, help=help, severity="warning")] if told else []
    anchors = [line for line, counts in told if counts and not line.startswith(stranger.BESIDE)]
    against = [Diagnostic("OB617", line, severity="warning") for line, counts in told if not counts]
    return ANCHORED if anchors else INTACT, anchors, against
