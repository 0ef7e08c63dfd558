"""Why a node ended in FAULT: the reasons as the record spells them, and the code of each (docs/formats.md, `fault`)."""

from __future__ import annotations

MISSING_INPUT = "missing-input"
INPUT_MISFIT = "input-misfit"
INPUT_CHANGED = "input-changed"
RAISED = "raised"
UNDECLARED_OUTCOME = "undeclared-outcome"
OUTPUT_MISFIT = "output-misfit"
EXPRESSION = "expression"
OUTPUT_TOO_LARGE = "output-too-large"
SECRET_MISSING = "secret-missing"
SECRET_SHOWN = "secret-shown"

CODES = {
    RAISED: "OB702",
    MISSING_INPUT: "OB703",
    INPUT_MISFIT: "OB704",
    OUTPUT_MISFIT: "OB705",
    UNDECLARED_OUTCOME: "OB706",
    EXPRESSION: "OB707",
    INPUT_CHANGED: "OB708",
    OUTPUT_TOO_LARGE: "OB717",
    SECRET_MISSING: "OB727",
    SECRET_SHOWN: "OB728",
}
