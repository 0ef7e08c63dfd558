"""A folder laid down whole: written aside, then renamed into place, so that a reader never sees a mixture."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping


def lay_down(
    place: str, aside: str, files: Mapping[str, bytes], shared: Callable[[str, str, bytes], bool] | None = None
) -> None:
    """Put `files`, by names with `/`, in the place of the folder `place`; raises OSError, with what was there in place.

    `aside` is an empty folder beside it, which is gone afterwards. `shared` may lay a file down in another way: it is
    given the old path, the new one and the bytes, and tells whether it did.
    """
    try:
        os.chmod(aside, 0o755)
        for name, data in files.items():
            parts = name.split("/")
            path = os.path.join(aside, *parts)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if shared is None or not shared(os.path.join(place, *parts), path, data):
                with open(path, "wb") as file:
                    file.write(data)
        old = aside + ".old"
        if os.path.isdir(place):
            os.rename(place, old)
        try:
            os.rename(aside, place)
        except BaseException:
            if os.path.isdir(old):
                os.rename(old, place)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
