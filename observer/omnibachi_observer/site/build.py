"""All files of a site, as bytes by relative name; nothing is read or written here."""

from __future__ import annotations

from collections.abc import Mapping

from .declared_pages import declared_page
from .frame import Place, file_of
from .index_pages import domain_page, front_page
from .looks import STYLE
from .relations import Told, relations
from .workflow_pages import workflow_page


def site(told: Told, pictures: Mapping[str, bytes]) -> dict[str, bytes]:
    """Make the site of a snapshot; `pictures` are the SVG of workflows by address, of those in `told.pictures`."""
    links = relations(told)
    pages = frozenset(address for entries in links.sections.values() for address in entries)
    top, below = Place("", pages), Place("../", pages)
    files = {"style.css": STYLE.encode(), "index.html": front_page(told, links, top)}
    files |= {f"{name}/index.html": domain_page(name, told, links, below) for name in sorted(told.domains)}
    for section, entries in links.sections.items():
        for address in entries:
            made = (
                workflow_page(address, told, links, below)
                if section == "workflows"
                else declared_page(section, address, told, links, below)
            )
            files[file_of(address)] = made
    files |= {file_of(address).removesuffix(".html") + ".svg": data for address, data in sorted(pictures.items())}
    return files
