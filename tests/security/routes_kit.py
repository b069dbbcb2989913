"""What a route is, what a valid request to it looks like, and where both are looked up."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.routes import ASGIRoute, HTTPRoute

from modelkeel.app import Keel, Settings, create_app
from modelkeel.identity.models import OidcSettings

READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Ask:
    """One request, valid for who may send it.

    Attributes:
        path: values of the address's `{parts}`.
        params: the query.
        json: the body, or `content` as bytes.
        status: what who may send it gets.
    """

    path: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    status: tuple[int, ...] = (200, 201, 202, 204)


@dataclass(frozen=True)
class Case:
    """How a route is tried.

    Attributes:
        make: builds the request in the story, with whatever it needs made freshly by the owner.
        entries: types of the ledger entries that it writes when it succeeds, in any order.
        by: who may send it: `admin` of the workspace, or `owner` of the installation.
        actor: who stands in those entries: the sender, or `service` for an account of ours that does it for them.
        viewer: what somebody who may only look gets.
        own: why somebody of another workspace may send it too: it is about their own workspace, or themselves. Empty:
            it names objects of this workspace, which are not there for them.
    """

    make: Callable[[Any], Ask]
    entries: tuple[str, ...] = ()
    by: str = "admin"
    actor: str = ""
    viewer: tuple[int, ...] = (403,)
    own: str = ""


@dataclass(frozen=True)
class Route:
    """One method at one address.

    Attributes:
        writes: as declared; empty: it only reads.
        open: whether it is declared to answer whoever has not signed in.
        key: `METHOD /address`, the same for both roots of MLflow's protocol.
    """

    method: str
    path: str
    writes: str
    open: bool = False

    @property
    def key(self) -> str:
        """By which its case is found."""
        return f"{self.method} {self.path}".replace("/ajax-api/", "/api/", 1)

    @property
    def id(self) -> str:
        """How tests call it."""
        return f"{self.method} {self.path}"

    def address(self, values: dict[str, str]) -> str:
        """The path with its parts filled in."""
        parts = []
        for part in self.path.split("/"):
            name = part.strip("{}").partition(":")[0]
            parts.append(values[name] if part.startswith("{") else part)
        return "/".join(parts)


@cache
def every_route() -> tuple[Route, ...]:
    """Every method at every address that the control plane answers, a sign-in provider's included.

    Raises:
        AssertionError: something is mounted that can't be enumerated.
    """
    oidc = OidcSettings("https://provider.invalid", "keel")
    with tempfile.TemporaryDirectory(prefix="mk") as folder:
        keel = Keel.open(Settings(Path(folder), anonymous=False, oidc=oidc))
        try:
            return tuple(sorted(_routes(create_app(keel)), key=lambda r: (r.path, r.method)))
        finally:
            keel.close()


def _routes(app: Litestar) -> list[Route]:
    found = []
    for route in app.routes:
        assert not isinstance(route, ASGIRoute), (
            f"{route.path} mounts an application whose routes can't be seen here: mount routes, or enumerate its own"
        )
        assert isinstance(route, HTTPRoute), f"{route.path} is no HTTP route: say here how it is tried"
        for handler in route.route_handlers:
            methods = handler.http_methods - {"OPTIONS", "HEAD"}
            found += [
                Route(method, route.path, str(handler.opt.get("writes", "")), bool(handler.opt.get("open")))
                for method in methods
            ]
    return found
