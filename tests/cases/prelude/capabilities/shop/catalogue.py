"""What stands behind the shop's addresses."""

from .locks import seal
from .prices import price

CATALOGUE = {"shop::CT_PRICE_V0": price, "shop::CT_SEAL_V0": seal}
