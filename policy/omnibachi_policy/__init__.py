"""Policies: what may be decided, and why. This room decides and never executes: it reads facts and returns verdicts."""
