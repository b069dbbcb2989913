"""Registered models, versions and aliases as frozen types, their rules, and the port that guards aliases."""

import posixpath
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.core.paths import clean
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import ArtifactFile, ArtifactOwner, OwnerKind
from modelkeel.tracking.rules import check_length, check_name

NAME_LENGTH = 256
TAG_KEY_LENGTH = 250
TAG_LENGTH = 100_000
DESCRIPTION_LENGTH = 100_000
_ALIAS = re.compile(r"[\w\-]+")
_RUN_ROOT = re.compile(r"/*([^/]+)/([0-9a-f]{32})/artifacts(?:/(.*))?")
_MODEL_ROOT = re.compile(r"/*([^/]+)/models/(m-[0-9a-f]{32})/artifacts(?:/(.*))?")
_PROXY = "/api/2.0/mlflow-artifacts/artifacts"


class Stage(StrEnum):
    """Where a version is in MLflow's older life cycle."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


_STAGES = {stage.lower(): stage for stage in Stage}


class RegisteredModel(msgspec.Struct, frozen=True):
    """A name under which versions are kept.

    Attributes:
        id: stays when the model is renamed.
        name: unique among the workspace's models.
        description: free text.
        created: milliseconds since 1970.
        updated: last change, milliseconds since 1970.
        user: who made it.
        tags: free key and value pairs.
        aliases: name → version number.
    """

    id: str
    name: str
    description: str
    created: int
    updated: int
    user: str
    tags: dict[str, str]
    aliases: dict[str, int]


class ModelVersion(msgspec.Struct, frozen=True):
    """An immutable version of a model.

    Attributes:
        model_id: of the model.
        name: of the model, now.
        version: counts up per model, never used twice.
        run_id: the run behind it; empty if unknown.
        logged_model_id: the logged model behind it; empty if it was registered from a run's folder.
        source: what the client named as its source.
        owner: the run or logged model whose tree holds its files.
        prefix: folder of that tree, empty for the whole.
        digest: over the files' paths, digests and sizes.
        size: of all files, bytes.
        description: free text.
        run_link: free text.
        created: milliseconds since 1970.
        updated: milliseconds since 1970.
        user: who registered it.
        actor: id of that principal.
        tags: free key and value pairs.
        aliases: that point at it now.
        stage: where it is now.
        files: paths below `prefix`; empty where a list of versions was asked for.
    """

    model_id: str
    name: str
    version: int
    run_id: str
    logged_model_id: str
    source: str
    owner: ArtifactOwner
    prefix: str
    experiment_id: str
    digest: str
    size: int
    description: str
    run_link: str
    created: int
    updated: int
    user: str
    actor: str
    tags: dict[str, str] = {}
    aliases: list[str] = []
    stage: Stage = Stage.NONE
    files: list[ArtifactFile] = []

    @property
    def subject(self) -> str:
        """How the ledger names it."""
        return f"{self.model_id}/{self.version}"

    @property
    def artifact_uri(self) -> str:
        """Where the client finds the files; a prompt has none."""
        if not self.owner.id:
            return self.source
        root = f"models/{self.owner.id}" if self.owner.kind is OwnerKind.MODEL else self.owner.id
        return "/".join(filter(None, [f"mlflow-artifacts:/{self.experiment_id}/{root}/artifacts", self.prefix]))


class AliasChange(msgspec.Struct, frozen=True):
    """What somebody wants an alias to mean.

    Attributes:
        model_id: of the model.
        name: of the model, as the alias is asked for under it.
        alias: its name.
        version: where it shall point; None removes it.
        current: where it points now; None if it does not exist.
    """

    model_id: str
    name: str
    alias: str
    version: int | None
    current: int | None


class PromotionCheck(Protocol):
    """Guards protected aliases; governance fills it."""

    async def admit(self, principal: Principal, change: AliasChange) -> str | None:
        """Judges a change outside any transaction.

        Returns:
            A ticket for `confirm`, or None if the alias is not protected.

        Raises:
            Refused: with one reason for each thing that stands in the way.
        """

    def confirm(self, tx: Tx, principal: Principal, change: AliasChange, ticket: str) -> None:
        """Inside the transaction that moves the alias: is the evidence still current? Records the promotion.

        Raises:
            Conflict: it is not; judge again.
        """

    def protected_alias(self, tx: Tx, principal: Principal, name: str, alias: str) -> str | None:
        """The protected alias of a model that is written like `alias`, whatever the case; None if none is."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a version's files are: the owner of the tree, and the folder in it."""

    owner: ArtifactOwner
    prefix: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Another version as the source: `name/7`, `name@alias`, `name/Production` or `name/latest`."""

    text: str


def check_model_name(name: str, path: str = "name") -> None:
    """1 to 256 characters that make a path segment: no `/`, no `:`."""
    if not name.strip():
        raise InvalidInput(f"Missing value for required parameter '{path}'.")
    if any(c in name for c in "/:"):
        raise InvalidInput(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    if posixpath.normpath(name) != name or name in {".", ".."}:
        raise InvalidInput(f"Invalid value \"{name}\" for parameter '{path}' supplied: it can't be a path of its own.")
    check_length(path, name, NAME_LENGTH)


def check_alias(alias: str) -> None:
    """Letters, digits, `_` and `-`; not `latest` or a version's name."""
    if not alias:
        raise InvalidInput("Registered model alias name cannot be empty.")
    if _ALIAS.fullmatch(alias) is None:
        raise InvalidInput(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    check_length("Registered model alias name", alias, 255)
    if alias.lower() == "latest":
        raise InvalidInput("'latest' alias name (case insensitive) is reserved.")
    if re.fullmatch(r"[vV]\d+", alias):
        raise InvalidInput(f"Version alias name '{alias}' is reserved.")


def check_tag(key: str, value: str) -> None:
    """A tag of a model or version."""
    check_name(key)
    check_length("key", key, TAG_KEY_LENGTH)
    check_length("value", value, TAG_LENGTH)


def is_stage(text: str) -> bool:
    """Whether a stage is called so, in any case."""
    return text.lower() in _STAGES


def parse_stage(text: str) -> Stage:
    """A stage as the client writes it, in any case.

    Raises:
        InvalidInput: there is no such stage.
    """
    found = _STAGES.get(text.lower())
    if found is None:
        raise InvalidInput(f"Invalid Model Version stage: {text}. Value must be one of {', '.join(Stage)}.")
    return found


def told(name: str, tags: dict[str, str] | None, description: str, **more: str) -> dict[str, str]:
    """The texts of the entry about something new: its name, and its tags (JSON) and description where it has any."""
    texts = {"name": name, **more}
    texts |= {"tags": msgspec.json.encode(tags).decode()} if tags else {}
    return texts | ({"description": description} if description else {})


def version_number(text: str | int) -> int:
    """A version as the client writes it."""
    try:
        number = int(text)
    except ValueError:
        raise InvalidInput(f"Parameter 'version' must be an integer, got '{text}'.") from None
    if not 0 < number < 2**31:
        raise InvalidInput(f"Parameter 'version' must be a positive integer, got '{text}'.")
    return number


def parse_source(uri: str) -> Source | Reference:
    """What a version's source names; only runs and logged models of this server will do.

    Raises:
        InvalidInput: another scheme, or a path that climbs.
    """
    scheme, colon, rest = uri.partition(":")
    if scheme in {"http", "https"} and _PROXY in rest:
        scheme, rest = "mlflow-artifacts", rest.partition(_PROXY)[2]
    if colon and rest.startswith("/") and not (rest.startswith("//") and scheme != "mlflow-artifacts"):
        path = rest.partition("?")[0]
        if scheme == "runs":
            run_id, _, folder = path.lstrip("/").partition("/")
            return Source(ArtifactOwner.run(run_id), clean(folder, empty=True))
        if scheme == "models":
            return _model_uri(uri, path.lstrip("/"))
        if scheme == "mlflow-artifacts":
            return _artifact_uri(uri, path)
    raise InvalidInput(
        f"Invalid model version source: '{uri[:300]}'.",
        hint="Name a run (runs:/RUN/PATH) or a logged model (models:/m-…) of this server; files "
        "elsewhere can't be kept unchanged.",
    )


def _model_uri(uri: str, rest: str) -> Source | Reference:
    if re.fullmatch(r"m-[0-9a-f]{32}", rest):
        return Source(ArtifactOwner.model(rest), "")
    name, slash, number = rest.rpartition("/")
    if slash and name and (number.isdigit() or is_stage(number) or number.lower() == "latest"):
        return Reference(rest)
    name, at, alias = rest.partition("@")
    if at and alias:
        return Reference(rest)
    raise InvalidInput(f"Invalid model version source: '{uri[:300]}'.")


def _artifact_uri(uri: str, path: str) -> Source:
    if path.startswith("//"):
        path = "/" + path.lstrip("/").partition("/")[2]  # mlflow-artifacts://host/…
    for pattern, kind in ((_MODEL_ROOT, OwnerKind.MODEL), (_RUN_ROOT, OwnerKind.RUN)):
        match = pattern.fullmatch(path)
        if match:
            return Source(ArtifactOwner(kind, match.group(2)), clean(match.group(3) or "", empty=True))
    raise InvalidInput(f"Invalid model version source: '{uri[:300]}'.")
