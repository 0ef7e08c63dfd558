"""The observer's page as routes: a few files of this package, the same for everybody, with the headers that hold it in.

The page has no data of its own, so it is served to whoever asks; what it shows it asks of the observer's other routes.
Its policy lets it load its own files and speak with its own server, and nothing else: no inline script or style, no
other address, no frame around it, and no text that becomes markup (`require-trusted-types-for`).
"""

from __future__ import annotations

from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/cards.js": ("cards.js", "text/javascript; charset=utf-8"),
    "/marks.js": ("marks.js", "text/javascript; charset=utf-8"),
    "/rows.js": ("rows.js", "text/javascript; charset=utf-8"),
    "/server.js": ("server.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
# What the guards set for every answer, they set for these too.
_ALONE = {
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# A picture is made into an image of the page by a `blob:` address, so that a token can go with the question for it.
PAGE_HEADERS = {
    **_ALONE,
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
}
# For an SVG that somebody opens by itself: it may have its own style, and nothing else.
PICTURE_HEADERS = {
    **_ALONE,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
}


def page_routes() -> list[Route]:
    """Return the routes of the page: `/` and the files that it names. They are read once, here."""
    return [_route(path, name, media_type) for path, (name, media_type) in FILES.items()]


def _route(path: str, name: str, media_type: str) -> Route:
    data = (resources.files(__package__) / "page" / name).read_bytes()
    headers = PICTURE_HEADERS if media_type == "image/svg+xml" else PAGE_HEADERS

    async def serve(_: Request) -> Response:
        return Response(data, media_type=media_type, headers=headers)

    return Route(path, serve, methods=["GET"], name=name, include_in_schema=False)
