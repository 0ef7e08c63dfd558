"""What the table of runs says of one."""

from __future__ import annotations


class RunRow:
    """What is known of a run; `exit`, `status` and `digest` are None until it has ended.

    `holder` is the process that worked on it last, `fence` how often that changed, `seq` how many events it has.
    """

    __slots__ = (
        "digest",
        "exit",
        "fence",
        "holder",
        "payload_digest",
        "run",
        "seal",
        "seq",
        "started_at",
        "status",
        "workflow",
        "workflow_digest",
    )

    def __init__(
        self,
        run: str,
        workflow: str,
        workflow_digest: str,
        seal: str | None,
        payload_digest: str,
        started_at: str,
        exit: str | None,
        status: str | None,
        digest: str | None,
        fence: int,
        holder: str | None,
        seq: int,
    ) -> None:
        self.run = run
        self.workflow = workflow
        self.workflow_digest = workflow_digest
        self.seal = seal
        self.payload_digest = payload_digest
        self.started_at = started_at
        self.exit = exit
        self.status = status
        self.digest = digest
        self.fence = fence
        self.holder = holder
        self.seq = seq
