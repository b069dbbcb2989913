"""`modelkeel up` and `modelkeel down`: the server of a home."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter, validators

from modelkeel.core.errors import Unavailable


def up(
    *,
    home: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 5757,
    predict_port: int = 5858,
    predict_workers: int = 1,
    database: str | None = None,
    blobs: str | None = None,
    anonymous: Annotated[bool, Parameter(negative="--no-anonymous")] = True,
    allow_host: tuple[str, ...] = (),
    allow_read: tuple[Path, ...] = (),
    secret: tuple[str, ...] = (),
    keys_hold: Annotated[float, Parameter(validator=validators.Number(gte=1, lte=300))] = 300,
    public_url: str | None = None,
    oidc_issuer: Annotated[str | None, Parameter(env_var="MODELKEEL_OIDC_ISSUER")] = None,
    oidc_client: Annotated[str, Parameter(env_var="MODELKEEL_OIDC_CLIENT")] = "modelkeel",
    oidc_name: str = "single sign-on",
    oidc_groups: str = "groups",
    keys: Path | None = None,
    webhook_host: tuple[str, ...] = (),
    openlineage: str | None = None,
    detach: bool = False,
) -> None:
    """Start the server.

    Examples:
        modelkeel up
        modelkeel up --home ./keel --port 8000 --detach

    Parameters
    ----------
    home
        The folder that holds everything; MODELKEEL_HOME, or ~/.modelkeel.
    host
        Address to listen on; anything but loopback needs --no-anonymous.
    port
        Port of the API, the page and the `mlflow` protocol; 0 takes a free one.
    predict_port
        Port of the prediction API; 0 takes a free one.
    predict_workers
        How many prediction processes share that port.
    database
        A Postgres address (postgresql://USER@HOST/NAME) instead of SQLite in the home.
    blobs
        An object store (s3://BUCKET/PREFIX, gs://…, az://…) or a shared folder (file:///PATH), not one of the home.
    anonymous
        Whether programs on this machine may track without a token.
    allow_host
        Further host names under which the server may be addressed.
    allow_read
        A file or folder that pipelines started by the server may read, such as their data; may be given several times.
    secret
        PIPELINE:NAME lets a pipeline that the server starts ask for a secret of this host; may be given several times.
    keys_hold
        For how many seconds at most, 1 to 300, prediction processes take keys once they hear from the server no more.
    public_url
        Where browsers reach the server, such as https://keel.example, if a proxy stands before it.
    oidc_issuer
        Address of an OpenID Connect provider by which people sign in. Its client's secret is read from the variable
        MODELKEEL_OIDC_SECRET; the callback to register there is PUBLIC_URL/api/v1/oidc/callback.
    oidc_client
        Our client's id at the provider.
    oidc_name
        What the sign-in button calls the provider.
    oidc_groups
        The claim that lists somebody's groups.
    keys
        The folder with the installation's keys. Several servers on one Postgres share it, and the blobs.
    webhook_host
        A host of your own network to which webhooks may send, by http too; may be given several times.
    openlineage
        The whole address to which OpenLineage events of runs are posted, such as http://marquez:5000/api/v1/lineage. A
        token for it is read from the variable MODELKEEL_OPENLINEAGE_KEY.
    detach
        Return as soon as the server answers; `modelkeel down` ends it.
    """
    from modelkeel.storage.home import default_home

    folder = (home or default_home()).absolute()
    if detach:
        _detach(folder)
        return
    from modelkeel.app import Settings
    from modelkeel.cli.server import serve
    from modelkeel.http.guard import LOCAL
    from modelkeel.identity.models import OidcSettings

    names = LOCAL | set(allow_host) | ({host} if host not in {"0.0.0.0", "::"} else {"*"})  # noqa: S104  # nosec B104
    if public_url:
        names |= {urlsplit(public_url).hostname or ""}
    client_secret = os.environ.pop("MODELKEEL_OIDC_SECRET", "")  # children of ours have no use for it
    oidc = OidcSettings(oidc_issuer, oidc_client, client_secret, oidc_name, oidc_groups) if oidc_issuer else None
    settings = Settings(
        folder,
        host,
        port,
        predict_port,
        predict_workers,
        database,
        blobs,
        anonymous,
        frozenset(names),
        oidc,
        public_url,
        tuple(path.absolute() for path in allow_read),
        secret,
        keys_hold,
        keys.absolute() if keys else None,
        frozenset(webhook_host),
        openlineage,
        os.environ.pop("MODELKEEL_OPENLINEAGE_KEY", ""),
    )
    serve(settings, secrets.token_urlsafe(16))


def down(*, home: Path | None = None, seconds: float = 30) -> None:
    """Stop the server of a home, and its prediction processes.

    Parameters
    ----------
    home
        The folder that holds everything; MODELKEEL_HOME, or ~/.modelkeel.
    seconds
        How long to wait for it to end.
    """
    from modelkeel.storage.home import default_home

    folder = (home or default_home()).absolute()
    state = folder / "server.json"
    if not state.exists():
        if not _end_predictions(folder):
            raise Unavailable(f"No server runs on {folder}.")
        return
    pid = int(json.loads(state.read_text())["pid"])
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while state.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    if state.exists():
        raise Unavailable(f"The server (process {pid}) did not end within {seconds:g} s.")
    _end_predictions(folder)


def _end_predictions(folder: Path) -> bool:
    """Ends the prediction processes, which go on without the server; False if none ran."""
    from modelkeel.runtime.control import SupervisorClient

    client = SupervisorClient(folder)
    try:
        client.status()
    except Unavailable:
        return False
    client.shutdown()
    return True


def _detach(folder: Path) -> None:
    import httpx

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    state = folder / "server.json"
    state.unlink(missing_ok=True)
    arguments = [a for a in sys.argv[1:] if a != "--detach"]
    with (folder / "server.log").open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "modelkeel", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise Unavailable("The server did not start.", hint=f"See {folder / 'server.log'}.")
        if state.exists():
            url = json.loads(state.read_text())["url"]
            if httpx.get(f"{url}/health").is_success:
                print(url)
                return
        time.sleep(0.02)
    raise Unavailable("The server did not answer within 30 s.", hint=f"See {folder / 'server.log'}.")
