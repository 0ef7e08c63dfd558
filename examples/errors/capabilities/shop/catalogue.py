"""What stands behind the shop's addresses."""

from .price import price
from .printer import print_label

CATALOGUE = {"shop::CT_PRICE_V0": price, "shop::CS_PRINTER_V0.PRINT": print_label}
