"""What a record tells of a run that was interrupted, or waited for people: after which step, when it was resumed, by
what, and with which changed capabilities accepted."""

from __future__ import annotations

from omnibachi_model.formats import write_time

from .words import Code, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .story import Resumption, Story
    from .words import Words


def taken_up(found: Resumption, seal: str | None) -> Words:
    """Say one resumption; a sentence without a final stop. `seal` is that of the snapshot until then."""
    words: Words = ["the run was interrupted "]
    words += [f"after step {found.after}, ", Code(found.node)] if found.node is not None else ["before its first step"]
    words.append(", and resumed")
    if found.waited is not None:
        words = ["the run waited at ", Code(found.waited), ", and went on"]
    for label, told in ((" at ", _time(found)), (" by ", _text(found, "program")), (" on ", _text(found, "host"))):
        if told is not None:
            words += [label, Code(told)]
    addresses = accepted(found)
    if addresses:
        kind = "capability" if len(addresses) == 1 else "capabilities"
        words += [f", with the changed {kind} ", *listed([Code(address) for address in addresses]), " accepted"]
    went_on = _text(found, "seal")
    if went_on is not None and went_on != seal:
        words += ["; it went on with the snapshot ", Code(went_on)]
    return words


def all_taken_up(story: Story) -> list[Words]:
    """Say every resumption of a run in order."""
    seal = story.obs.get("seal")
    said: list[Words] = []
    for found in story.resumptions:
        said.append(taken_up(found, seal if isinstance(seal, str) else None))
        seal = _text(found, "seal") or seal
    return said


def accepted(found: Resumption) -> list[str]:
    """Return the addresses of the capabilities that had changed and were accepted."""
    told = found.obs.get("accepted")
    return sorted(told) if isinstance(told, dict) else []


def plain(found: Resumption) -> dict[str, Any]:
    """Return a resumption as plain data: {after, node, at, program, host, seal, accepted}."""
    return {
        "after": found.after, "node": found.node, "at": _time(found), "program": _text(found, "program"),
        "host": _text(found, "host"), "seal": _text(found, "seal"), "accepted": accepted(found),
    }  # fmt: skip


def _text(found: Resumption, name: str) -> str | None:
    told = found.obs.get(name)
    return told if isinstance(told, str) else None


def _time(found: Resumption) -> str | None:
    told = found.obs.get("at_us")
    try:
        return write_time(told * 1000) if type(told) is int else None
    except OverflowError:  # No record of ours has such a time.
        return None
