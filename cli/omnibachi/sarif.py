"""Diagnostics as SARIF 2.1.0 (OASIS), which code hosts and editors show at their places.

Columns count characters. Files are named from the workspace's folder (`SRCROOT`), so that a log says nothing about the
machine that it was made on. A graph path that proves a finding is a code flow; a certain fix is a fix.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from omnibachi_model.codes import Code, table
from omnibachi_model.diagnostics import Diagnostic, Fix, Span

from .wiring import VERSION

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
BASE = "SRCROOT"
LEVELS = {"error": "error", "warning": "warning"}


def sarif(diagnostics: Sequence[Diagnostic]) -> bytes:
    """Return a SARIF log of one run: a rule for each code that was found, a result for each finding."""
    codes = sorted({item.code for item in diagnostics})
    rules = {code: number for number, code in enumerate(codes)}
    known = table()
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "omnibachi",
                        "semanticVersion": VERSION,
                        "rules": [_rule(known[code]) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {BASE: {"description": {"text": "the folder of the workspace"}}},
                "results": [_result(item, rules[item.code]) for item in diagnostics],
            }
        ],
    }
    return json.dumps(log, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.code,
        "name": code.slug,
        "shortDescription": {"text": code.summary},
        "help": {"text": code.help},
    }


def _result(item: Diagnostic, rule: int) -> dict[str, Any]:
    text = f"{item.message}\n{item.help}" if item.help else item.message
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": rule,
        "level": LEVELS.get(item.severity, "note"),
        "message": {"text": text},
    }
    if item.span is not None:
        result["locations"] = [{"physicalLocation": _physical(item.span)}]
    if item.related:
        result["relatedLocations"] = [
            {"id": number, "physicalLocation": _physical(span), "message": {"text": label}}
            for number, (span, label) in enumerate(item.related)
        ]
    if item.path:
        result["codeFlows"] = [{"threadFlows": [{"locations": [_step(step) for step in item.path]}]}]
    if item.fix is not None:
        result["fixes"] = [_fix(item.fix)]
    return result


def _physical(span: Span) -> dict[str, Any]:
    return {"artifactLocation": _artifact(span.file), "region": _region(span)}


def _artifact(file: str) -> dict[str, Any]:
    return {"uri": quote(file, errors="replace"), "uriBaseId": BASE}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _step(name: str) -> dict[str, Any]:
    return {"location": {"logicalLocations": [{"fullyQualifiedName": name}], "message": {"text": name}}}


def _fix(fix: Fix) -> dict[str, Any]:
    files: dict[str, list[dict[str, Any]]] = {}
    for span, text in fix.edits:
        files.setdefault(span.file, []).append({"deletedRegion": _region(span), "insertedContent": {"text": text}})
    return {
        "description": {"text": fix.says},
        "artifactChanges": [
            {"artifactLocation": _artifact(file), "replacements": replacements} for file, replacements in files.items()
        ],
    }
