"""What stands behind the addresses that seal."""

from .sealing import seal

CATALOGUE = {"shop::CT_SEAL_V0": seal}
