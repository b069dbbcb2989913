"""Which run stands behind a model version or an endpoint's revision."""

import re
from urllib.parse import quote

import msgspec

from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.sdk.api import Api

_VERSION = re.compile(r"models:/([^/@]+)/(\d{1,9})")
_ALIAS = re.compile(r"models:/([^/@]+)@([^/@]+)")
_REVISION = re.compile(r"endpoints:/([^/]+)(?:/(\d{1,9}))?")


class _Version(msgspec.Struct):
    version: int
    run_id: str = msgspec.field(name="run")
    aliases: list[str] = []


class _Model(msgspec.Struct):
    versions: list[_Version]


class _Route(msgspec.Struct):
    revision: str
    weight: float


class _Revision(msgspec.Struct):
    id: str
    number: int
    run_id: str
    model: str
    version: int


class _Endpoint(msgspec.Struct):
    routes: list[_Route]
    revisions: list[_Revision]


def run_behind(api: Api, target: str) -> str:
    """The id of the run that made something.

    Args:
        api: the server.
        target: a run's id, `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `endpoints:/NAME` (the revision with most
            of the traffic) or `endpoints:/NAME/NUMBER`.

    Raises:
        NotFound: there is no such version, alias or revision, or no run behind it.
        InvalidInput: another form.
    """
    if found := _VERSION.fullmatch(target):
        name, wanted = found[1], int(found[2])
        return _made(target, next((one for one in _versions(api, name) if one.version == wanted), None))
    if found := _ALIAS.fullmatch(target):
        return _made(target, next((one for one in _versions(api, found[1]) if found[2] in one.aliases), None))
    if found := _REVISION.fullmatch(target):
        endpoint = api.get(f"/api/v1/endpoints/{quote(found[1], safe='')}", type=_Endpoint)
        live = max(endpoint.routes, key=lambda one: one.weight, default=None)
        by_number = next((one for one in endpoint.revisions if found[2] and one.number == int(found[2])), None)
        by_traffic = next((one for one in endpoint.revisions if live and one.id == live.revision), None)
        return _made(target, by_number if found[2] else by_traffic)
    if ":/" in target:
        raise InvalidInput(
            f"{target!r} names nothing that was made by a run.",
            hint="Write a run's id, models:/NAME/VERSION, models:/NAME@ALIAS or endpoints:/NAME.",
        )
    return target


def _versions(api: Api, name: str) -> list[_Version]:
    return api.get(f"/api/v1/models/{quote(name, safe='')}", type=_Model).versions


def _made(target: str, found: _Version | _Revision | None) -> str:
    if found is None:
        raise NotFound(
            f"There is no {target}.", hint="`modelkeel endpoints` and the page of models list what there is."
        )
    if not found.run_id:
        raise NotFound(
            f"No run is known behind {target}.", hint="It was registered from files: there is nothing to rerun."
        )
    return found.run_id
