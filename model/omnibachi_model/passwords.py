"""Passwords that stand in the address of a database, kept out of whatever is told.

An address is given on the command line, and a command line that is not understood is quoted. So every diagnostic passes
through here, wherever it is made.
"""

from __future__ import annotations

import re

# Compiled when they are first needed: every run imports this module.
_USER = r"(postgres(?:ql)?:/+[^\s:@/`]*):[^\s`]*@"
_PARAMETER = r"(postgres(?:ql)?:/+[^\s`]*?[?&](?:password|passfile|sslpassword)=)[^\s&`]*"


def without_passwords(text: str) -> str:
    """Return a text with the passwords of PostgreSQL's addresses in it left out, however such an address is spoilt."""
    if "postgres" not in text:
        return text
    return re.sub(_PARAMETER, r"\1…", re.sub(_USER, r"\1@", text))
