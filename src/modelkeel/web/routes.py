"""The built page over HTTP: one HTML file for every address of the application, and its hashed assets.

Nothing here needs a sign-in: the files are the same for everybody, and hold no data. What they show comes from the API.
"""

import asyncio
import mimetypes
import re
from pathlib import Path

from litestar import Response, Router, get
from litestar.types import ResponseHeaders

from modelkeel.core.errors import NotFound

STATIC = Path(__file__).parent / "static"
SECTIONS = (
    "experiments", "runs", "compare", "pipelines", "datasets", "models", "endpoints", "alerts", "approvals",
    "predictions", "ledger", "costs", "members", "tokens", "login",
)  # fmt: skip
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SAFE: ResponseHeaders = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_HTML = "text/html"
_YEAR = "public, max-age=31536000, immutable"
_MISSING = (
    "<!doctype html><title>Modelkeel</title><h1>The page is not part of this installation</h1>"
    "<p>It was installed with MODELKEEL_SKIP_UI=1, or from a checkout without its build. In the checkout, run "
    "<code>make setup</code>, or <code>python ui/toolchain.py build</code>. The API works without it.</p>"
)


def router(folder: Path = STATIC) -> Router:
    """The page.

    Args:
        folder: where the build put it.
    """

    @get(["/", *_paths()], include_in_schema=False, media_type="text/html")
    async def page() -> Response[bytes]:
        return await asyncio.to_thread(_index, folder)

    @get("/assets/{name:str}", include_in_schema=False)
    async def asset(name: str) -> Response[bytes]:
        return await asyncio.to_thread(_file, folder / "assets", name, _YEAR)

    @get("/favicon.svg", include_in_schema=False)
    async def icon() -> Response[bytes]:
        return await asyncio.to_thread(_file, folder, "favicon.svg", "no-cache")

    @get("/THIRD-PARTY-NOTICES.txt", include_in_schema=False)
    async def notices() -> Response[bytes]:
        return await asyncio.to_thread(_file, folder, "THIRD-PARTY-NOTICES.txt", "no-cache")

    return Router("/", route_handlers=[page, asset, icon, notices], response_headers=_SAFE, opt={"open": True})


def _paths() -> list[str]:
    return [path for section in SECTIONS for path in (f"/{section}", f"/{section}/{{rest:path}}")]


def _index(folder: Path) -> Response[bytes]:
    index = folder / "index.html"
    if not index.is_file():
        return Response(_MISSING.encode(), status_code=503, media_type=_HTML)
    return Response(index.read_bytes(), media_type=_HTML, headers={"Cache-Control": "no-cache"})


def _file(folder: Path, name: str, cache: str) -> Response[bytes]:
    path = folder / name
    if _NAME.fullmatch(name) is None or not path.is_file():
        raise NotFound(f"There is no file {name!r}.")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(path.read_bytes(), media_type=kind, headers={"Cache-Control": cache})
