"""SpiffWorkflow: a BPMN process, parsed once; recorded with its serializer, a file of JSON for each run.

Every node is a script task that calls the node's function; branches are exclusive gateways that ask for the outcome.
"""

from __future__ import annotations

import os
from itertools import count
from typing import Any

from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine, TaskDataEnvironment
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from work import PAYLOAD, Graph, graph

from serving import Run, serve

HEAD = (
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" id="work"'
    ' targetNamespace="http://bpmn.io/schema/bpmn"><bpmn:process id="work" isExecutable="true">'
)


def build(work: str, recorded: bool, folder: str, seen: list[str] | None) -> Run:
    """Parse the process."""
    nodes = graph(work, seen)
    parser: Any = BpmnParser()
    parser.add_bpmn_str(_process(nodes).encode())
    spec = parser.get_spec("work")
    functions = {f"call_{name}": function for name, (function, _) in nodes.items()}
    engine = PythonScriptEngine(environment=TaskDataEnvironment(functions))
    serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure())
    numbers = count()

    def run() -> int:
        workflow = BpmnWorkflow(spec, script_engine=engine)
        workflow.task_tree.data.update(PAYLOAD)
        workflow.run_all()
        assert workflow.is_completed()
        if recorded:
            with open(os.path.join(folder, f"{next(numbers)}.json"), "w", encoding="utf-8") as file:
                file.write(serializer.serialize_json(workflow))
        return int(workflow.data["n"])

    return run


def _process(nodes: Graph) -> str:
    first = next(iter(nodes))
    parts = [HEAD, '<bpmn:startEvent id="begin"/>', '<bpmn:endEvent id="done"/>', _flow("begin", first)]
    for name, (_, routes) in nodes.items():
        script = f"outcome, output = call_{name}({{'n': n, 'name': name}})\nn = output['n']"
        parts.append(f'<bpmn:scriptTask id="{name}"><bpmn:script>{script}</bpmn:script></bpmn:scriptTask>')
        targets = {outcome: to or "done" for outcome, to in routes.items()}
        if len(set(targets.values())) == 1:
            parts.append(_flow(name, next(iter(targets.values()))))
            continue
        *asked, (_, otherwise) = targets.items()
        parts.append(f'<bpmn:exclusiveGateway id="way_{name}" default="way_{name}_to_{otherwise}"/>')
        parts.append(_flow(name, f"way_{name}"))
        parts += [_flow(f"way_{name}", to, f"outcome == '{outcome}'") for outcome, to in asked]
        parts.append(_flow(f"way_{name}", otherwise))
    return "".join([*parts, "</bpmn:process></bpmn:definitions>"])


def _flow(start: str, end: str, condition: str = "") -> str:
    asked = f"<bpmn:conditionExpression>{condition}</bpmn:conditionExpression>" if condition else ""
    return f'<bpmn:sequenceFlow id="{start}_to_{end}" sourceRef="{start}" targetRef="{end}">{asked}</bpmn:sequenceFlow>'


if __name__ == "__main__":
    serve(build)
