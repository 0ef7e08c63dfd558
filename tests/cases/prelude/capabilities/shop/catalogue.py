"""What stands behind the shop's addresses."""

from .prices import price

CATALOGUE = {"shop::CT_PRICE_V0": price}
