"""What monitoring needs from slices around it; `app.py` fills these."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from modelkeel.core.access import Principal


class Place(msgspec.Struct, frozen=True):
    """Where an endpoint belongs.

    Attributes:
        endpoint: its id, as the runtime writes it into the spool.
        workspace: id of its workspace.
        name: its name there.
    """

    endpoint: str
    workspace: str
    name: str


class EndpointDirectory(Protocol):
    """Knows endpoints by id, deleted ones too."""

    async def places(self, endpoints: Iterable[str]) -> dict[str, Place]:
        """The places of those endpoints that exist or existed, by id."""


class ReferenceSource(Protocol):
    """Finds what a model version was trained and tested on."""

    async def reference(self, workspace: str, model: str, version: int, path: str) -> bytes | None:
        """The content of artifact `path` of the run that made a version; None if there is no such artifact."""


class Retrain(Protocol):
    """Starts a pipeline."""

    async def launch(self, principal: Principal, pipeline: str, params: dict[str, Any], reason: dict[str, Any]) -> str:
        """Starts a run and returns its id; the same `reason["action"]` again returns the same run."""

    async def ended(self, principal: Principal, run: str) -> str | None:
        """How a run ended: `finished`, `failed` or `killed`; None while it goes on."""
