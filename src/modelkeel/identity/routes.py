"""Users and tokens over HTTP."""

import msgspec
from litestar import Router, get, post

from modelkeel.core.access import Permission, Principal
from modelkeel.identity.models import MintedToken, NewToken, NewUser, User
from modelkeel.identity.service import Identity


class Me(msgspec.Struct, frozen=True):
    """Who the server takes the caller for."""

    id: str
    name: str
    kind: str
    permissions: list[Permission]


def router(identity: Identity) -> Router:
    """`/api/v1/me`, `/users`, `/tokens`."""

    @get("/me", summary="Who am I?")
    async def me(principal: Principal) -> Me:
        return Me(principal.id, principal.name, principal.kind, sorted(principal.permissions))

    @get("/users", summary="Users of the workspace")
    async def users(principal: Principal) -> list[User]:
        return await identity.users(principal)

    @post("/users", summary="Add a user", opt={"writes": "record"})
    async def create_user(principal: Principal, data: NewUser) -> User:
        return await identity.create_user(principal, data.name, data.roles, data.kind)

    @post("/tokens", summary="Mint a token", opt={"writes": "record"})
    async def mint(principal: Principal, data: NewToken) -> MintedToken:
        return await identity.mint_token(principal, data.user, data.seconds)

    return Router("/api/v1", route_handlers=[me, users, create_user, mint], tags=["identity"])
