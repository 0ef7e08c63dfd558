"""A record written for other systems: OpenTelemetry, CloudEvents, OpenLineage. Part of the public API."""

from __future__ import annotations

from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.digests import decode, digest

from . import wiring
from .records import workflow_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

FORMS = ("otlp", "cloudevents", "openlineage")


def export(
    record: bytes, form: Literal["otlp", "cloudevents", "openlineage"], *, workflow: bytes | None = None
) -> bytes:
    """Write a record as an OTLP/JSON request, as a JSON array of CloudEvents, or as OpenLineage events, one a line.

    `workflow` are the sealed bytes of the workflow that ran, which alone tell the stores that lineage is about; other
    bytes are passed over. The same record gives the same bytes. Raises Refused (OB740) where it does not hold, and
    ValueError for an unknown form.
    """
    if form not in FORMS:
        raise ValueError(f"`{form}` is none of {', '.join(FORMS)}")
    found = wiring.verify(record)
    if not found.holds:
        message = f"the record is broken at line {found.line}: {found.reason}"
        raise Refused([Diagnostic("OB740", message, help="export only what holds; look for a backup")])
    if form == "otlp":
        return wiring.otlp(record)
    if form == "cloudevents":
        return wiring.cloudevents(record)
    sealed: dict[str, Any] | None = None
    if workflow is not None and digest(workflow) == workflow_of(record)[1]:
        sealed = decode(workflow)
    return wiring.openlineage(record, workflow=sealed)
