"""Exit statuses, the one list of them: what each means stands in docs/ARCHITECTURE.md, "Errors".

How a run's status becomes one (0, 1, 5) is sealed with the statuses themselves: `sealed.EXIT_CODES`.
"""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
FINDINGS = 3
UNPROVEN = 4
TROUBLE = 6  # of store, file or lease: a run may have started, and is named
PARKED = 7  # the run waits for people
DEFECT = 70
INTERRUPTED = 130
BROKEN_PIPE = 141
