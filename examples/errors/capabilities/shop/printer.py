"""The printer of labels: where it is jammed, it takes the whole process with it, as a power cut would."""

import os
import signal


def print_label(inputs, store, call):
    """Print a label."""
    if os.path.exists("jammed"):
        os.kill(os.getpid(), signal.SIGKILL)
    return "SUCCESS", {}
