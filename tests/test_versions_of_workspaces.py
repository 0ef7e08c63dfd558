"""Two versions of a workspace on one data root, and a workspace that changes under its runs.

Every run ends as the version says that it was begun by, or is refused by name; the record says which that was.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from children import Child
from crashing import NOW_NS
from dying import (
    CAPS, JOURNAL, KEEP, LOOK, ORDER, PUT, SHOUT, STORE, SWAP, calls, code, dies, ends_well, here, keep, shop,
)  # fmt: skip
from omnibachi import RunResult, Workspace, replay, verify
from omnibachi_ledger import open_root
from omnibachi_model.record import read
from omnibachi_model.diagnostics import Trouble
from performing import RECORDS, REGISTRY, journal, sealed_roots
from trial import CLAIM, FILES, NAMES, lay_trial

__all__ = ["here"]
