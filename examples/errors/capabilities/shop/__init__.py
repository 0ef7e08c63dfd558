"""The capabilities of the shop that makes mistakes."""
