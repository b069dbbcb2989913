"""The composition root: every slice mounted, every port filled, every subscription named, on one page."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Litestar, Router, get
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.openapi.plugins import JsonRenderPlugin

from modelkeel.adapters import Places, References, RuntimeJudge, RuntimePlane
from modelkeel.background import background
from modelkeel.collaboration import routes as webhook_routes
from modelkeel.collaboration.sending import Sender
from modelkeel.collaboration.service import Webhooks
from modelkeel.core.errors import InvalidInput
from modelkeel.core.sandbox import isolation
from modelkeel.costs import routes as costs_routes
from modelkeel.costs.meter import Meter
from modelkeel.costs.service import Costs
from modelkeel.governance import routes as governance_routes
from modelkeel.governance.guards import AliasGuard, DeploymentGuard
from modelkeel.governance.service import Governance
from modelkeel.http.auth import Authentication, current_principal, signed_in
from modelkeel.http.description import DescriptionConfig
from modelkeel.http.guard import LOCAL, Guard
from modelkeel.http.outgoing import Outgoing
from modelkeel.http.problems import HANDLERS
from modelkeel.identity import access_routes, sign_in_routes
from modelkeel.identity import routes as identity_routes
from modelkeel.identity.authorizer import RoleAuthorizer
from modelkeel.identity.grants import Access
from modelkeel.identity.models import OidcSettings
from modelkeel.identity.service import Identity
from modelkeel.identity.sessions import csrf_of
from modelkeel.keeping import routes as keeping_routes
from modelkeel.keeping.service import Keeping
from modelkeel.ledger import routes as ledger_routes
from modelkeel.ledger.service import Ledger
from modelkeel.ledger.subscriptions import Subscription, follow
from modelkeel.monitoring import routes as monitoring_routes
from modelkeel.monitoring.retraining import PipelineRetrain
from modelkeel.monitoring.service import Monitoring
from modelkeel.monitoring.totals import Totals
from modelkeel.moving import routes as moving_routes
from modelkeel.moving.reading import MovingOut
from modelkeel.moving.service import Moving
from modelkeel.pipelines import content_routes, step_routes
from modelkeel.pipelines import routes as pipeline_routes
from modelkeel.pipelines.content import Content
from modelkeel.pipelines.datasets import routes as dataset_routes
from modelkeel.pipelines.datasets.service import Datasets
from modelkeel.pipelines.launch import Launches
from modelkeel.pipelines.service import Pipelines
from modelkeel.pipelines.triggers import routes as trigger_routes
from modelkeel.pipelines.triggers.firing import Firings
from modelkeel.pipelines.triggers.service import Triggers
from modelkeel.protocols.mlflow import routes as mlflow_routes
from modelkeel.protocols.mlflow.errors import beside
from modelkeel.protocols.openlineage import routes as openlineage_routes
from modelkeel.protocols.openlineage.service import OpenLineage
from modelkeel.protocols.otlp import routes as otlp_routes
from modelkeel.registry import routes as registry_routes
from modelkeel.registry.service import Registry
from modelkeel.serving import routes as serving_routes
from modelkeel.serving.controller import KEYS_HOLD, Controller
from modelkeel.serving.prepare import Preparer
from modelkeel.serving.service import Serving
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.home import Home, write_private
from modelkeel.storage.leases import Leases
from modelkeel.storage.migrate import migrate
from modelkeel.traces.service import Traces
from modelkeel.tracking import code_routes
from modelkeel.tracking import routes as tracking_routes
from modelkeel.tracking.durations import Durations
from modelkeel.tracking.made import MadeRuns
from modelkeel.tracking.service import Tracking
from modelkeel.version import __version__
from modelkeel.web import routes as web_routes

log = logging.getLogger(__name__)
CHECKPOINT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server is run.

    Attributes:
        home: its folder.
        host: address to listen on.
        port: of the control plane; predictions have `predict_port`.
        predict_workers: how many prediction processes share the port.
        database: `sqlite:///…` or `postgresql://…`; none: SQLite in the home.
        blobs: `s3://…`, `gs://…`, `az://…`, or `file:///…` for a shared folder; none: a folder of the home.
        anonymous: whether a tokenless loopback caller may track.
        hosts: names under which the server may be addressed.
        oidc: the provider by which people sign in; none: local accounts only.
        read: further files and folders that pipelines started by the server may read.
        secrets: which of them may ask for which secrets, each as `PIPELINE:NAME`.
        keys_hold: for how many seconds at most prediction processes that hear from the server no more take keys.
        public_url: where browsers reach the server, if not at `url`: behind a proxy that speaks https, for example.
        keys: the folder of the installation's keys, which its servers share; none: one of the home.
        webhook_hosts: names in private networks to which webhooks may send.
        openlineage: where OpenLineage events are posted; none: nowhere.
        openlineage_key: the token that goes with them.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 5757
    predict_port: int = 5858
    predict_workers: int = 1
    database: str | None = None
    blobs: str | None = None
    anonymous: bool = True
    hosts: frozenset[str] = LOCAL
    oidc: OidcSettings | None = None
    public_url: str | None = None
    read: tuple[Path, ...] = ()
    secrets: tuple[str, ...] = ()
    keys_hold: float = KEYS_HOLD
    keys: Path | None = None
    webhook_hosts: frozenset[str] = frozenset()
    openlineage: str | None = None
    openlineage_key: str = ""

    @property
    def url(self) -> str:
        """Where the control plane answers."""
        return f"http://{self.host}:{self.port}"

    @property
    def team(self) -> bool:
        """Whether others depend on this server: then nothing runs that this machine can't confine."""
        return self.database is not None or not self.on_loopback

    @property
    def secure(self) -> bool:
        """Whether browsers reach the server by https."""
        return (self.public_url or self.url).startswith("https://")

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOCAL


class Health(msgspec.Struct, frozen=True):
    """Whether the server can serve."""

    status: str
    version: str
    entries: int


@dataclass(slots=True)
class Keel:
    """Every service of one server, wired together."""

    settings: Settings
    home: Home
    database: Database
    blobs: BlobStore
    ledger: Ledger
    identity: Identity
    access: Access
    tracking: Tracking
    registry: Registry
    content: Content
    pipelines: Pipelines
    launches: Launches
    firings: Firings
    triggers: Triggers
    datasets: Datasets
    serving: Serving
    controller: Controller
    monitoring: Monitoring
    meter: Meter
    costs: Costs
    governance: Governance
    keeping: Keeping
    moving: Moving
    traces: Traces
    sender: Sender
    webhooks: Webhooks
    lineage: OpenLineage
    owner_token: str = ""

    @classmethod
    def open(cls, settings: Settings) -> "Keel":
        """Opens the home, brings the database up to date and makes the owner's token on the first run.

        Raises:
            InvalidInput: the address is not loopback and tokenless callers are allowed.
            Unavailable: another server holds the home.
        """
        if settings.anonymous and not settings.on_loopback:
            raise InvalidInput(
                f"Listening on {settings.host} without authentication would let anybody in.",
                hint="Add --no-anonymous: then every caller needs a token.",
            )
        if settings.anonymous and settings.public_url:
            raise InvalidInput(
                "Behind a proxy every caller comes from this machine, so all would be let in without authentication.",
                hint="Add --no-anonymous, or leave --public-url out.",
            )
        home = Home(settings.home)
        database = Database(settings.database or f"sqlite:///{home.path / 'modelkeel.db'}")
        migrate(database, copy_to=home.path / "backups")
        authorizer = RoleAuthorizer()
        keys = settings.keys or home.folder("keys")
        ledger = Ledger(database, _signing_key(keys), authorizer)
        sealing = _sealing_key(keys)
        sender = Sender(database, ledger, sealing, settings.webhook_hosts)
        identity = Identity(database, ledger, authorizer)
        blobs = _blobs(settings, home).with_small(database)
        tracking = Tracking(database, ledger, blobs, authorizer)
        alias_guard, deployment_guard = AliasGuard(ledger), DeploymentGuard()
        registry = Registry(database, ledger, tracking, authorizer, alias_guard)
        content = Content(database, blobs, authorizer)
        made = MadeRuns(tracking)
        pipelines = Pipelines(database, ledger, blobs, authorizer, identity, made)
        launches = Launches(
            database,
            pipelines,
            authorizer,
            identity,
            made,
            home,
            settings.url,
            read=settings.read,
            demanded=settings.team,
            secrets=settings.secrets,
        )
        firings = Firings(database, ledger, identity, launches)
        plane = RuntimePlane(home.path, settings.host, settings.predict_port, settings.predict_workers)
        serving = Serving(
            database, ledger, registry, authorizer, deployment_guard, lambda: plane.url, identity.workspace_names
        )
        controller = Controller(
            database,
            ledger,
            serving,
            registry,
            identity,
            Preparer(blobs, home.folder("serving"), home.folder("environments"), demanded=settings.team),
            plane,
            RuntimeJudge(plane),
            deployment_guard,
            anonymous=settings.anonymous,
            keys_hold=settings.keys_hold,
        )
        monitoring = Monitoring(
            database,
            ledger,
            blobs,
            authorizer,
            identity,
            spool=home.folder("serving/spool"),
            directory=Places(serving),
            references=References(registry, tracking),
            retrain=PipelineRetrain(launches.launch, pipelines),
        )
        totals = Totals(database, blobs, authorizer)
        meter = Meter(database, plane, totals, serving.everywhere)
        costs = Costs(
            database, ledger, authorizer, Durations(database, authorizer), pipelines, registry, totals, meter.look
        )
        governance = Governance(
            database,
            ledger,
            authorizer,
            identity,
            blobs,
            tracking,
            pipelines,
            registry,
            serving,
            monitoring.prediction,
            totals,
            costs,
            alias_guard,
            deployment_guard,
        )
        traces = Traces(database, ledger, authorizer, tracking)
        keel = cls(
            settings,
            home,
            database,
            blobs,
            ledger,
            identity,
            Access(database, ledger, authorizer, identity.forget),
            tracking,
            registry,
            content,
            pipelines,
            launches,
            firings,
            Triggers(database, ledger, authorizer, firings, sealing, settings.read),
            Datasets(database, ledger, authorizer, identity),
            serving,
            controller,
            monitoring,
            meter,
            costs,
            governance,
            Keeping(database, ledger, blobs, authorizer, tracking, registry),
            Moving(database, ledger, tracking, registry, traces, authorizer),
            traces,
            sender,
            Webhooks(database, ledger, authorizer, sender, sealing),
            OpenLineage(
                database,
                identity,
                tracking,
                pipelines,
                registry,
                url=settings.openlineage,
                key=settings.openlineage_key,
                outgoing=Outgoing(frozenset({urlsplit(settings.openlineage or "").hostname or ""})),
            ),
        )
        token_file = home.path / "owner.token"
        minted = identity.first_run()
        if minted is not None:
            write_private(token_file, minted.encode())
        keel.owner_token = token_file.read_text() if token_file.exists() else ""
        return keel

    def close(self) -> None:
        """Finishes waiting writes and gives the home free."""
        self.database.close()
        self.home.close()

    def subscriptions(self) -> list[Subscription]:
        """Everybody who hears of ledger entries."""
        return [*self.governance.subscriptions(), self.firings.subscription(), *self.lineage.subscriptions()]

    def workers(self) -> list[Callable[[], Awaitable[None]]]:
        """Background work that one server of the installation does, each for ever."""
        following = [_following(self.ledger, subscription) for subscription in self.subscriptions()]
        return [
            self._sign_checkpoints,
            self.tracking.seal_for_ever,
            self.tracking.sweep_for_ever,
            *([self.blobs.small.move_for_ever] if self.blobs.small else []),
            self.launches.watch,
            self.firings.run_for_ever,
            self.firings.watch_for_ever,
            self.datasets.sweep_for_ever,
            self.controller.run,
            *self.monitoring.workers(),
            self.meter.run,
            self.sender.gather_for_ever,
            self.sender.send_for_ever,
            *following,
        ]

    async def _sign_checkpoints(self) -> None:
        while True:
            await self.ledger.sign_checkpoint()
            await asyncio.sleep(CHECKPOINT_SECONDS)
            await self.ledger.changed(3600)


def create_app(keel: Keel) -> Litestar:
    """The control plane as an ASGI application."""

    @get("/health", summary="Is the server healthy?", opt={"open": True})
    async def health() -> Health:
        return Health("ok", __version__, await keel.ledger.size())

    anonymous = keel.identity.anonymous if keel.settings.anonymous else None
    return Litestar(
        route_handlers=[
            health,
            web_routes.router(),
            identity_routes.router(keel.identity),
            sign_in_routes.router(
                keel.identity,
                oidc=keel.settings.oidc.name if keel.settings.oidc else None,
                anonymous=keel.settings.anonymous,
                secure=keel.settings.secure,
            ),
            *_provider(keel),
            access_routes.router(keel.access),
            ledger_routes.router(keel.ledger, keel.home.folder("scratch")),
            mlflow_routes.router(keel.tracking, keel.registry, keel.traces, keel.webhooks, keel.identity, keel.access),
            webhook_routes.router(keel.webhooks),
            otlp_routes.router(keel.traces),
            openlineage_routes.router(keel.lineage),
            tracking_routes.router(keel.tracking),
            code_routes.router(keel.tracking),
            registry_routes.router(keel.registry, keel.tracking),
            moving_routes.imports_router(keel.moving),
            moving_routes.exports_router(
                keel.moving, MovingOut(keel.database, keel.tracking, keel.registry, keel.traces)
            ),
            content_routes.router(keel.content),
            pipeline_routes.router(keel.pipelines, keel.launches),
            trigger_routes.router(keel.triggers),
            dataset_routes.router(keel.datasets),
            step_routes.router(keel.pipelines.steps, keel.pipelines.paid, keel.pipelines.reproductions),
            serving_routes.router(keel.serving),
            monitoring_routes.router(keel.monitoring),
            costs_routes.router(keel.costs),
            governance_routes.router(keel.governance),
            keeping_routes.router(keel.keeping),
        ],
        dependencies={"principal": Provide(current_principal, sync_to_thread=False)},
        guards=[signed_in],
        middleware=[
            DefineMiddleware(Guard, hosts=keel.settings.hosts),
            DefineMiddleware(
                Authentication, authenticate=keel.identity.authenticate, csrf=csrf_of, anonymous=anonymous
            ),
        ],
        exception_handlers={**HANDLERS, HTTPException: beside(HANDLERS[HTTPException])},
        lifespan=[lambda _app: _background(keel)],
        openapi_config=DescriptionConfig(
            title="Modelkeel",
            version=__version__,
            openapi_router=Router("/api/v1/openapi", route_handlers=[], include_in_schema=False, opt={"open": True}),
            # No page that renders it: those load scripts of strangers, which would run with the session of who looks.
            render_plugins=[JsonRenderPlugin(path=["/openapi.json", "/"])],
        ),
    )


def _provider(keel: Keel) -> list[Router]:
    """The routes of signing in by a provider, if there is one."""
    settings = keel.settings
    if settings.oidc is None:
        return []
    # Imported only here: the provider's libraries take long to load.
    from modelkeel.identity import oidc_routes
    from modelkeel.identity.oidc import Oidc
    from modelkeel.identity.provided import Provided

    hosts = frozenset({urlsplit(settings.oidc.issuer).hostname or ""})
    redirect = f"{(settings.public_url or settings.url).rstrip('/')}{oidc_routes.PATH}/callback"
    oidc = Oidc(settings.oidc, redirect, Outgoing(hosts))
    identity = keel.identity
    provided = Provided(keel.database, keel.ledger, keel.access, identity.forget, identity.default_workspace)
    return [oidc_routes.router(identity, oidc, provided, secure=settings.secure)]


@contextlib.asynccontextmanager
async def _background(keel: Keel) -> AsyncIterator[None]:
    found = await asyncio.to_thread(isolation)
    if not found.holds:
        less = "are refused" if keel.settings.team else "run with less confinement than elsewhere"
        log.warning("No Landlock or no seccomp here: models and pipelines that the server starts %s.", less)
    alone = keel.database.dialect == "sqlite"  # its file is in the home, and the home has one server
    leases = None if alone else Leases(keel.database, f"{socket.gethostname()}:{keel.home.path}")
    try:
        async with background([keel.tracking.fold_for_ever], keel.workers(), leases):
            yield
    finally:
        keel.close()


def _following(ledger: Ledger, subscription: Subscription) -> Callable[[], Awaitable[None]]:
    return lambda: follow(ledger, subscription)


def _blobs(settings: Settings, home: Home) -> BlobStore:
    if settings.blobs is None:
        return BlobStore.local(home.folder("blobs"))
    if settings.blobs.startswith("file:///"):
        shared = Path(settings.blobs.removeprefix("file://"))
        shared.mkdir(parents=True, exist_ok=True, mode=0o700)
        return BlobStore.local(shared)
    return BlobStore.open(settings.blobs)


def _sealing_key(keys: Path) -> Fernet:
    """Encrypts secrets of webhooks that are stored."""
    path = keys / "webhooks.key"
    if not path.exists():
        write_private(path, Fernet.generate_key())
    return Fernet(path.read_bytes())


def _signing_key(keys: Path) -> Ed25519PrivateKey:
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = keys / "ledger.pem"
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_private(path, key.private_bytes(*form))
        return key
    loaded = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(loaded, Ed25519PrivateKey):
        raise InvalidInput(f"{path} is not an Ed25519 key.", hint="Restore the key file from a backup.")
    return loaded
