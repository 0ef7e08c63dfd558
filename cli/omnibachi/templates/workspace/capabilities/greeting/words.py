"""Words of greeting: a transform gets its inputs, and returns an outcome and an output; the same each time."""

from collections.abc import Mapping
from typing import Any

WORDS = {"en": "Hello", "nl": "Hallo", "fr": "Bonjour"}


def greeting(inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Word a greeting in one of the languages that we know."""
    word = WORDS.get(inputs["language"])
    if word is None:
        return "UNKNOWN_LANGUAGE", {}
    return "SUCCESS", {"text": f"{word}, {inputs['name']}!"}
