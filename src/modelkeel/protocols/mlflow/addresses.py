"""The one place where an address of the artifact proxy becomes an owner and a path.

`EXPERIMENT/RUN/artifacts/PATH` or `EXPERIMENT/models/m-…/artifacts/PATH`.
"""

import re
from typing import Any
from urllib.parse import unquote

from litestar import Request

from modelkeel.core.errors import InvalidInput
from modelkeel.core.paths import clean
from modelkeel.tracking.models import ArtifactOwner, OwnerKind

_ROOT = re.compile(r"([^/]+)/(?:models/(m-[0-9a-f]{32})|([0-9a-f]{32}))/artifacts(?:/(.*))?")


def under(place: str) -> list[str]:
    """The routes of a place of the proxy, such as `/artifacts`."""
    return [f"/{root}/2.0/mlflow-artifacts{place}/{{path:path}}" for root in ("api", "ajax-api")]


def address(request: Request[Any, Any, Any], place: str) -> str:
    """What follows a place in the request's path, unquoted once."""
    # not the router's path parameter: that has lost doubled slashes, which are to be refused
    path = unquote(request.scope["raw_path"].decode("latin-1"))
    return path.partition(f"/mlflow-artifacts{place}/")[2]


def owner_at(address: str) -> tuple[ArtifactOwner, str]:
    """Whose tree an address lies in, and the path in it; empty: its root.

    Raises:
        InvalidInput: it lies in none, or is written so that it could lead elsewhere.
    """
    match = _ROOT.fullmatch(clean(address))
    if match is None:
        raise InvalidInput(
            f"Invalid path: {address[:200]!r}",
            hint="Artifacts live under EXPERIMENT/RUN/artifacts or EXPERIMENT/models/MODEL/artifacts.",
        )
    experiment, model, run, path = match.groups()
    kind = OwnerKind.MODEL if model else OwnerKind.RUN
    return ArtifactOwner(kind, model or run, experiment), path or ""
