"""A small workspace whose workflows reach a house next door: with a key, without, again and again, only to read.

The house's port is declared as the domain's host, so the workspace is laid for one house.
"""

from __future__ import annotations

from pathlib import Path

from neighbours import House
from omnibachi import Workspace

NAMES = ("SEND", "TRY", "LATE", "PLAIN", "ASK", "ASK_LATE", "EACH")
SEND, TRY, LATE, PLAIN, ASK, ASK_LATE, EACH = (f"abroad::WF_{name}_V0" for name in NAMES)

_NEXT = "{SUCCESS: keep, VIOLATION: refused, BACKEND_ERROR: not_done, OUTCOME_UNKNOWN: unsure%s}"
_ENDS = """
  keep: {use: CS_EVENTS_V0.APPEND, store: ST_SENT_V0, event: EV_SENT_V0, with: {record: {%s}},
         next: {SUCCESS: sent}}
exits:
  sent: {status: COMPLETED, result: {sequence: $.nodes.keep.sequence}}
  refused: {status: REJECTED}
  not_done: {status: REJECTED}
  unsure: {status: FAILED}
  late: {status: FAILED}
  failed: {status: FAILED}
"""


def _workflow(code: str, node: str, kept: str = "n: $.nodes.send.body.n") -> str:
    head = f"---\nworkflow: {code}\nsummary: Send something.\nintent: IN_SEND_V0\nstart: send\nfault: failed\n"
    return f"{head}next: {{VIOLATION: refused}}\nnodes:\n  send: {node}{_ENDS % kept}"


DECLARED = "".join((
    "intent: IN_SEND_V0\npayload: {type: object, properties: {url: {type: string}, port: {type: integer, default: 0}},"
    " required: [url]}\n---\nstore: ST_SENT_V0\ngoverned_by: CS_EVENTS_V0\nevidence: true\n---\nevent: EV_SENT_V0\n"
    "record: {type: object, properties: {n: {}}, required: [n]}\n---\n"
    "side_effect: CS_PLAIN_V0\nsummary: Send without a key.\noperations:\n  DO:\n    effect: EXTERNAL\n"
    "    repeat: never\n    inputs: {url: {type: string}, port: {type: integer}}\n"
    "    outcomes: {SUCCESS: {n: {type: integer}}, BACKEND_ERROR: {}, SPOILT: {n: {type: integer}}}\n",
    _workflow("WF_SEND_V0",
              f"{{use: CS_HTTP_V0.POST, with: {{url: $.payload.url, body: {{a: 1}}}}, next: {_NEXT % ''}}}"),
    _workflow("WF_TRY_V0",
              "{use: CS_HTTP_V0.PUT, with: {url: $.payload.url}, deadline: 20s,"
              " retry: {on: [BACKEND_ERROR, OUTCOME_UNKNOWN, TIMEOUT], max: 2, backoff: 1ms},"
              f" next: {_NEXT % ', TIMEOUT: late'}}}"),
    _workflow("WF_LATE_V0",
              "{use: CS_HTTP_V0.PUT, with: {url: $.payload.url}, deadline: 300ms,"
              " retry: {on: [BACKEND_ERROR, OUTCOME_UNKNOWN, TIMEOUT], max: 2, backoff: 1ms},"
              f" next: {_NEXT % ', TIMEOUT: late'}}}"),
    _workflow("WF_PLAIN_V0",
              "{use: CS_PLAIN_V0.DO, with: {url: $.payload.url, port: $.payload.port},"
              " retry: {on: [BACKEND_ERROR], max: 1},"
              " next: {SUCCESS: keep, SPOILT: refused, BACKEND_ERROR: not_done, OUTCOME_UNKNOWN: unsure}}",
              "n: $.nodes.send.n"),
    _workflow("WF_ASK_V0",
              "{use: CS_HTTP_V0.GET, with: {url: $.payload.url}, deadline: 20s, retry: {on: [BACKEND_ERROR], max: 2},"
              " next: {SUCCESS: keep, VIOLATION: refused, BACKEND_ERROR: not_done, TIMEOUT: late}}"),
    _workflow("WF_ASK_LATE_V0",
              "{use: CS_HTTP_V0.GET, with: {url: $.payload.url}, deadline: 300ms, retry: {on: [BACKEND_ERROR], max: 2},"
              " next: {SUCCESS: keep, VIOLATION: refused, BACKEND_ERROR: not_done, TIMEOUT: late}}"),
    _workflow("WF_EACH_V0",
              '{each: ["$.payload.url", "$.payload.url"], as: one, max: 3, use: CS_HTTP_V0.POST,'
              " with: {url: $.each.one}, next: {SUCCESS: keep, PARTIAL: unsure, FAILED: unsure, OVERFLOW: refused}}",
              "n: $.nodes.send.items"),
))  # fmt: skip

PLAIN_CODE = '''"""Sending without a key, and with what may go wrong in code."""

import http.client


def do(inputs, store, call):
    """Post once and give the number that comes back."""
    if inputs["url"] == "crash":
        raise ValueError("no")
    connection = http.client.HTTPConnection("127.0.0.1", inputs["port"], timeout=2)
    try:
        connection.request("POST", inputs["url"])
        reply = connection.getresponse()
        data = reply.read()
    except ConnectionRefusedError:
        return "BACKEND_ERROR", {}
    except (OSError, http.client.HTTPException):
        return "OUTCOME_UNKNOWN", {}
    finally:
        connection.close()
    return ("SPOILT", {"n": "no number"}) if inputs["url"] == "/spoilt" else ("SUCCESS", {"n": data.count(b"n")})
'''


def lay_abroad(folder: Path, house: House) -> Workspace:
    """Write the workspace for a house into a folder, compile it and return it."""
    files = {
        "protocols/abroad/domain.yaml": f"domain: abroad\nhosts: ['127.0.0.1:{house.port}', '127.0.0.1:1']\n",
        "protocols/abroad/abroad.yaml": DECLARED,
        "capabilities/abroad_engine/__init__.py": '"""What leaves without a key."""\n',
        "capabilities/abroad_engine/sending.py": PLAIN_CODE,
        "capabilities/abroad_engine/catalogue.py": (
            '"""What leaves."""\n\nfrom .sending import do\n\nCATALOGUE = {"abroad::CS_PLAIN_V0.DO": do}\n'
        ),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    made = Workspace(folder)
    compiled = made.compile()
    assert compiled.ok, [f"{item.span}: {item.code} {item.message}" for item in compiled.diagnostics]
    return made
