"""The capabilities of this workspace."""
