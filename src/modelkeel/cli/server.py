"""Runs the control plane in this process, and says where it answers."""

import gc
import json
import os
import socket
from dataclasses import replace
from typing import Any

import uvicorn
from rich.console import Console

from modelkeel.app import Keel, Settings, create_app
from modelkeel.http.requests import PlainRequests
from modelkeel.storage.home import write_private
from modelkeel.version import __version__

GARBAGE_AFTER = 10_000
"""Objects made before the garbage collector looks at the young; a page of runs alone makes thousands."""


class _Server(uvicorn.Server):
    """Tells the home's `server.json` once it answers, and clears it at the end."""

    def __init__(self, config: uvicorn.Config, keel: Keel, code: str) -> None:
        super().__init__(config)
        self._keel = keel
        self._code = code

    async def startup(self, *arguments: Any, **options: Any) -> None:
        await super().startup(*arguments, **options)
        settings = self._keel.settings
        keel = self._keel
        owner = await keel.identity.owner(keel.owner_token) if keel.owner_token else None
        if owner is not None:
            keel.identity.sessions.allow(self._code, owner, seconds=float("inf"))
        console = Console()
        console.print(
            f"[bold]Modelkeel {__version__}[/] on [link={settings.url}]{settings.url}[/]  home {settings.home}"
        )
        console.print(
            f"  page     {settings.public_url or settings.url}/login?code={self._code}", highlight=False, soft_wrap=True
        )
        console.print(f"  mlflow   export MLFLOW_TRACKING_URI={settings.url}", highlight=False, soft_wrap=True)
        console.print(f"  token    {settings.home / 'owner.token'}", highlight=False, soft_wrap=True)
        console.file.flush()  # it may be a file, in which somebody looks for the link
        state = {"pid": os.getpid(), "url": settings.url, "predict_port": settings.predict_port}
        write_private(settings.home / "server.json", json.dumps(state).encode())

    async def shutdown(self, *arguments: Any, **options: Any) -> None:
        await super().shutdown(*arguments, **options)
        (self._keel.settings.home / "server.json").unlink(missing_ok=True)


def serve(settings: Settings, code: str) -> None:
    """Serves until stopped.

    Args:
        settings: how; port 0 is replaced by a free one.
        code: opens the page once, as the owner.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.host, settings.port))
    keel = Keel.open(replace(settings, port=listener.getsockname()[1]))
    config = uvicorn.Config(
        create_app(keel),
        http=PlainRequests,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    gc.freeze()  # what is here now stays: nobody looks through it again
    gc.set_threshold(GARBAGE_AFTER, 10, 10)
    _Server(config, keel, code).run(sockets=[listener])
