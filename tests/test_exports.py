"""Records for other systems: what OpenTelemetry, CloudEvents and OpenLineage read back, by their own packages."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.generated.error_message_run import ErrorMessageRunFacet
from openlineage.client.generated.job_type_job import JobTypeJobFacet
from openlineage.client.generated.parent_run import ParentRunFacet
from openlineage.client.generated.processing_engine_run import ProcessingEngineRunFacet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

import omnibachi
from forging import observed
from front_door import Call, call
from looping import compiled
from looping import sealed as looped
from omnibachi_model.digests import pretty
from omnibachi_model.record import read
from omnibachi_observer.exports.otlp import above
from sealed_runs import ACTOR, AT_US, SEAL, called, finished, order, order_failed, record, register, registered, started
from test_readers_of_runs import TEXT, ran

__all__ = ["call"]

FAULT = {"reason": "raised", "exception": "LookupError", "frame": "labels.py:3 label"}
ACTORS = "blockchain::ST_ACTORS_V0"


def failed() -> bytes:
    """Return a record whose effect crashed at its third attempt."""
    gone = called(order(), "record", {"key": "o1"}, "FAULT", fault=FAULT, attempts=3, waited_us=70, took_us=90)
    return order_failed(gone)


@pytest.fixture(scope="module")
def rounds() -> bytes:
    """A record with an inlined workflow, and with a loop over it."""
    return observed(ran(looped(compiled(TEXT, "CT_TELL_V0")), 2, 4, 5, 6), 1, seal=SEAL)


# OpenTelemetry


def spans(data: bytes) -> list[Any]:
    """Read an OTLP/JSON request as its protobuf, which is strict about names and types; ids are hex there."""
    told = json.loads(omnibachi.export(data, "otlp"))
    for span in told["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in span:
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    request = json_format.ParseDict(told, ExportTraceServiceRequest())
    assert {item.key for item in request.resource_spans[0].resource.attributes} >= {"service.name", "service.version"}
    return list(request.resource_spans[0].scope_spans[0].spans)


def attributes(span: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


def parents(data: bytes) -> dict[str, str | None]:
    """Return the path of what each span stands in; the run's own is empty."""
    found = spans(data)
    path = {span.span_id: attributes(span).get("omnibachi.path", "") for span in found}
    assert len(path) == len(found) and len({span.trace_id for span in found}) == 1
    assert all(len(span.span_id) == 8 and len(span.trace_id) == 16 and any(span.span_id) for span in found)
    return {path[span.span_id]: path[span.parent_span_id] if span.parent_span_id else None for span in found}


def test_a_run_is_a_span_of_spans() -> None:
    assert parents(registered()) == {"": None, "actor_id": "", "register": "", "announce": ""}
    root, first, *_ = spans(registered())
    told = attributes(root)
    assert (root.name, told["omnibachi.exit"], told["omnibachi.trace_id"]) == (
        register()["address"], "registered", "T1",
    )  # fmt: skip
    assert told["omnibachi.finished"] is True and root.status.code == Status.STATUS_CODE_UNSET
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == ((AT_US + 2 - 12) * 1000, (AT_US + 2) * 1000)
    assert attributes(spans(registered())[2])["omnibachi.receipt"] == 1


def test_a_fault_is_an_error_with_its_attempts() -> None:
    root, gone = spans(failed())
    told = attributes(gone)
    assert (told["omnibachi.attempts"], told["omnibachi.waited_us"], told["omnibachi.outcome"]) == (3, 70, "FAULT")
    assert root.status.code == gone.status.code == Status.STATUS_CODE_ERROR
    assert [event.name for event in gone.events] == ["exception"]
    happened = attributes(gone.events[0])
    assert (happened["exception.type"], happened["omnibachi.reason"]) == ("LookupError", "raised")


def test_loops_and_what_is_inlined_hold_their_steps(rounds: bytes) -> None:
    found = parents(rounds)
    assert (found["first/even"], found["first"], found["all[1]/even"]) == ("first", "", "all[1]")
    assert (found["all[1]"], found["all"]) == ("all", "")
    by_path = {attributes(span).get("omnibachi.path", ""): span for span in spans(rounds)}
    assert attributes(by_path["all"])["omnibachi.count"] == 3 and by_path["all[1]/even"].name == "all[]/even"
    for path, parent in found.items():
        if parent is not None:
            inner, outer = by_path[path], by_path[parent]
            assert outer.start_time_unix_nano <= inner.start_time_unix_nano
            assert inner.end_time_unix_nano <= outer.end_time_unix_nano
    assert {step.body["path"] for step in read(rounds) if "path" in step.body} <= found.keys()


@given(st.text("ab/[]0123456789", max_size=30))
def test_what_a_path_stands_in_is_shorter_and_before_it(path: str) -> None:
    found = above(path)
    assert all(path.startswith(name) and 0 < len(name) < len(path) for name in found)
    assert [above(name) for name in found] == [found[:index] for index in range(len(found))]


# CloudEvents


def test_every_line_is_a_cloud_event(rounds: bytes) -> None:
    told = json.loads(omnibachi.export(rounds, "cloudevents"))
    lines = list(read(rounds))
    for item, event in zip(told, lines, strict=True):
        found = JSONFormat().read(CloudEvent, json.dumps(item))
        assert found.get_id() == str(event.line) and found.get_source() == "urn:omnibachi:run:T1"
        assert found.get_type() == "omnibachi." + event.body["kind"].lower()
        assert found.get_data() == {"body": event.body, "obs": event.obs}
        assert found.get_subject() == event.body.get("path")
        at = found.get_time()
        assert isinstance(at, datetime) and round(at.timestamp() * 1e6) == event.obs["at_us"]
        assert (found.get_extension("linehash"), int(found.get_extension("sequence"))) == (event.hash, event.line)


# OpenLineage

FACETS: dict[str, Any] = {
    "parent": ParentRunFacet, "errorMessage": ErrorMessageRunFacet, "jobType": JobTypeJobFacet,
    "processing_engine": ProcessingEngineRunFacet,
}  # fmt: skip


def facets(told: dict[str, Any]) -> dict[str, Any]:
    """Read facets as the package's own, each of the schema that the package knows."""
    for name, facet in told.items():
        assert facet["_schemaURL"] == FACETS[name]._get_schema()
    members = {name: {k: v for k, v in facet.items() if not k.startswith("_")} for name, facet in told.items()}
    return {name: FACETS[name](**facet) for name, facet in members.items()}


def lineage(data: bytes, workflow: dict[str, Any] | None) -> list[RunEvent]:
    """Read events with the package's classes, which refuse unknown members and wrong ids, times and producers."""
    lines = omnibachi.export(data, "openlineage", workflow=None if workflow is None else pretty(workflow)).splitlines()
    found = []
    for line in lines:
        told = json.loads(line)
        assert told.pop("schemaURL") == RunEvent._get_schema()
        told["eventType"] = RunState(told["eventType"])
        told["run"] = Run(told["run"]["runId"], facets(told["run"]["facets"]))
        told["job"] = Job(told["job"]["namespace"], told["job"]["name"], facets(told["job"]["facets"]))
        told["inputs"] = [InputDataset(**item) for item in told["inputs"]]
        told["outputs"] = [OutputDataset(**item) for item in told["outputs"]]
        found.append(RunEvent(**told))
    return found


def test_lineage_tells_the_stores() -> None:
    found = lineage(registered(), register())
    kinds = [(event.eventType, event.job.name.rpartition(".")[2]) for event in found]
    start, complete = RunState.START, RunState.COMPLETE
    name = register()["address"]
    assert kinds == [
        (start, name), (start, "register"), (complete, "register"), (start, "announce"), (complete, "announce"),
        (complete, name),
    ]  # fmt: skip
    assert [item.name for item in found[2].outputs or ()] == [ACTORS] and found[2].inputs == []
    assert {item.name for item in found[-1].outputs or ()} == {ACTORS, "blockchain::ST_IDENTITY_EVENTS_V0"}
    assert len({event.run.runId for event in found}) == 3
    assert all(uuid.UUID(event.run.runId).version == 5 for event in found)
    again = lineage(registered(again=True), register())
    assert [item.name for item in again[2].inputs or ()] == [ACTORS] and again[2].outputs == []


def test_lineage_of_a_fault_and_without_the_workflow() -> None:
    found = lineage(failed(), order())
    assert [event.eventType for event in found] == [RunState.START, RunState.START, RunState.FAIL, RunState.FAIL]
    error = (found[-1].run.facets or {})["errorMessage"]
    assert isinstance(error, ErrorMessageRunFacet) and "record: raised" in error.message
    assert [event.job.name for event in lineage(failed(), None)] == [order()["address"]] * 2
    assert lineage(failed(), register())[0].outputs == [] and len(lineage(failed(), register())) == 2


# All forms


def test_the_same_record_gives_the_same_bytes_and_another_run_other_ids() -> None:
    for form in ("otlp", "cloudevents", "openlineage"):
        one, other = (omnibachi.export(registered(trace_id=name), form) for name in ("T1", "T2"))
        assert one == omnibachi.export(registered(), form) != other
    assert {span.span_id for span in spans(registered())}.isdisjoint(
        span.span_id for span in spans(registered(trace_id="T2"))
    )


def test_a_record_without_an_end_has_no_end() -> None:
    cut = b"".join(registered().splitlines(keepends=True)[:3])
    root = spans(cut)[0]
    assert attributes(root)["omnibachi.finished"] is False and "omnibachi.exit" not in attributes(root)
    assert root.end_time_unix_nano == (AT_US + 3) * 1000
    assert RunState.COMPLETE not in [event.eventType for event in lineage(cut, register()) if "." not in event.job.name]
    assert len(json.loads(omnibachi.export(cut, "cloudevents"))) == 3


@settings(max_examples=30)
@given(st.integers(1 - 2**53, 2**53 - 1), st.integers(1 - 2**53, 2**53 - 1))
def test_any_instants_give_spans_that_do_not_end_before_they_began(at: int, took: int) -> None:
    """A clock may go backwards, and obs is what anybody wrote."""
    asked = {"actor_record": ACTOR}
    step = called(register(), "actor_id", {"data": ACTOR}, "SUCCESS", {"id": "A"}, at_us=at, took_us=took)
    data = record(started(register(), asked), step, finished("failed", "FAILED"))
    for span in spans(data):
        assert 0 <= span.start_time_unix_nano <= span.end_time_unix_nano
    assert lineage(data, register()) and omnibachi.export(data, "cloudevents")


def test_the_command_writes_what_the_function_gives(call: Call, tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_bytes(registered())
    said = call("export", "run.jsonl", "--format", "cloudevents")
    assert (said.status, said.out.encode(), said.err) == (0, omnibachi.export(registered(), "cloudevents"), "")
    assert call("export", "run.jsonl", "--format", "otlp", "--output", "to.json").out == "written: to.json\n"
    assert (tmp_path / "to.json").read_bytes() == omnibachi.export(registered(), "otlp")
    found = call("export", "run.jsonl", "--format", "openlineage", "--json")
    assert len(found.json()["exported"]) == 2 and found.json()["diagnostics"][0]["code"] == "OB746"
    (tmp_path / "run.jsonl").write_bytes(registered().replace(b"Given", b"Taken", 1))
    assert "error[OB740]" in call("export", "run.jsonl", "--format", "otlp").err
    (tmp_path / "run.jsonl").write_bytes(registered())
    unwritable = call("export", "run.jsonl", "--format", "otlp", "--output", "no/such")
    assert unwritable.status == 6 and "error[OB753]" in unwritable.err
