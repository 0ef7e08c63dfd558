"""Which function stands behind which declared capability; the compiler reads this and seals it."""

from .words import greeting

CATALOGUE = {"greeting::CT_GREETING_V0": greeting}
