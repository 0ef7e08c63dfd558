"""A record as OpenLineage run events: the run, and under it each call that asked or changed a store."""

from __future__ import annotations

import uuid
from urllib.parse import quote

from omnibachi_model.digests import encode
from omnibachi_model.ways import named

from .told import instant, interval, number, program, reason_of, story_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from omnibachi_observer.story import Step, Story

NAMESPACE = "omnibachi"
SPEC = "https://openlineage.io/spec/"
EVENT = SPEC + "2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = {
    "parent": "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
}


def openlineage(record: bytes, *, workflow: dict[str, Any] | None = None) -> bytes:
    """Write a record that holds as OpenLineage events, one JSON object a line; raises Broken.

    Only the sealed `workflow` tells which stores were asked: without it there is the run alone, without datasets.
    """
    return b"".join(encode(event) + b"\n" for event in _Teller(story_of(record, workflow)).events())


class _Teller:
    """Tells the events of one run."""

    __slots__ = ("name", "producer", "run", "story", "version")

    def __init__(self, story: Story) -> None:
        self.story = story
        self.run = f"urn:omnibachi:run:{story.trace_id}"
        self.name, self.version = program(story)
        self.producer = f"urn:omnibachi:program:{quote(self.name)}:{quote(self.version)}"

    def events(self) -> list[dict[str, Any]]:
        """Return START of the run, START and end of each call of a store, and the run's end where it has one."""
        story = self.story
        engine = {"name": self.name, "version": self.version}
        facets = {"processing_engine": self.facet("processing_engine", engine)}
        job = self.job(story.address, "WORKFLOW")
        found = [self.event("START", number(story.obs, "at_us"), self.identity("", facets), job)]
        touched: dict[bool, dict[str, None]] = {False: {}, True: {}}
        for step in story.steps:
            store = step.sealed.get("store")
            if isinstance(store, str):
                found += self.call(step, store)
                touched[step.wrote][store] = None
        if story.finished:
            failed = story.status == "FAILED"
            faults = [f"{step.node}: {reason_of(step.fault)}" for step in story.steps if step.fault]
            why = f"{story.exit} ({story.status})" + "".join(f"; {fault}" for fault in faults[-1:])
            run = self.identity("", {"errorMessage": self.error(why)} if failed else {})
            kind = "FAIL" if failed else "COMPLETE"
            found.append(self.event(kind, number(story.end_obs, "at_us"), run, job, *touched.values()))
        return found

    def call(self, step: Step, store: str) -> list[dict[str, Any]]:
        began, ended = interval(step.obs)
        job = self.job(f"{self.story.address}.{named(step.node)}", "NODE")
        above = {
            "run": {"runId": self.identity("", {})["runId"]},
            "job": {"namespace": NAMESPACE, "name": self.story.address},
        }
        parent = {"parent": self.facet("parent", above)}
        error = {"errorMessage": self.error(reason_of(step.fault))} if step.faulted else {}
        kind = "FAIL" if step.faulted else "COMPLETE"
        sides: tuple[dict[str, None], dict[str, None]] = ({}, {store: None}) if step.wrote else ({store: None}, {})
        return [
            self.event("START", began, self.identity(step.node, parent), job),
            self.event(kind, ended, self.identity(step.node, parent | error), job, *sides),
        ]

    def identity(self, path: str, facets: dict[str, Any]) -> dict[str, Any]:
        name = self.run + (f"#{quote(path)}" if path else "")
        return {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "facets": facets}

    def job(self, name: str, kind: str) -> dict[str, Any]:
        members = {"processingType": "BATCH", "integration": "OMNIBACHI", "jobType": kind}
        return {"namespace": NAMESPACE, "name": name, "facets": {"jobType": self.facet("jobType", members)}}

    def facet(self, name: str, members: dict[str, Any]) -> dict[str, Any]:
        return {"_producer": self.producer, "_schemaURL": SPEC + "facets/" + FACETS[name], **members}

    def error(self, message: str) -> dict[str, Any]:
        return self.facet("errorMessage", {"message": message, "programmingLanguage": "python"})

    def event(
        self,
        kind: str,
        at: int,
        run: dict[str, Any],
        job: dict[str, Any],
        read: dict[str, None] | None = None,
        wrote: dict[str, None] | None = None,
    ) -> dict[str, Any]:
        sides = [[{"namespace": NAMESPACE, "name": store} for store in side or ()] for side in (read, wrote)]
        return {
            "eventType": kind, "eventTime": instant(at), "producer": self.producer, "schemaURL": EVENT,
            "run": run, "job": job, "inputs": sides[0], "outputs": sides[1],
        }  # fmt: skip
