"""Capabilities of the cases' shop."""
