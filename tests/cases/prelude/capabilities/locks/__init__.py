"""Capabilities of the cases that hold secrets, apart so that a case may have a catalogue of the shop of its own."""
