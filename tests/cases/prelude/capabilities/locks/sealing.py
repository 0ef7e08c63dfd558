"""Locks of the shop."""

import hashlib


def seal(inputs):
    """Answer with the key that a pin makes, and with the lock that it fits."""
    if not inputs["pin"]:
        return "VIOLATION", {}
    key = hashlib.sha256(inputs["pin"].encode()).hexdigest()
    return "SUCCESS", {"key": key, "lock": hashlib.sha256(key.encode()).hexdigest()}
