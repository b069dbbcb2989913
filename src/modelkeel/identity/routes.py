"""Users, tokens and workspaces over HTTP."""

from litestar import Router, delete, get, post, put

from modelkeel.core.access import Principal
from modelkeel.identity.models import (
    Me,
    MintedToken,
    NewPassword,
    NewToken,
    NewUser,
    NewWorkspace,
    Token,
    User,
    Workspace,
)
from modelkeel.identity.service import Identity


def router(identity: Identity) -> Router:
    """`/api/v1/me`, `/users`, `/tokens`, `/workspaces`."""

    @get("/me", summary="Who am I?")
    async def me(principal: Principal) -> Me:
        return await identity.me(principal)

    @get("/users", summary="Users of the workspace")
    async def users(principal: Principal) -> list[User]:
        return await identity.users(principal)

    @post("/users", summary="Add a user", opt={"writes": "record"})
    async def create_user(principal: Principal, data: NewUser) -> User:
        return await identity.create_user(principal, data)

    @put("/users/{user:str}/password", summary="Set a password", opt={"writes": "record"})
    async def set_password(principal: Principal, user: str, data: NewPassword) -> None:
        await identity.accounts.set_password(principal, user, data.password, data.current)

    @put("/users/{user:str}/disabled", summary="Close an account everywhere", opt={"writes": "record"})
    async def disable(principal: Principal, user: str) -> None:
        await identity.accounts.set_disabled(principal, user, True)

    @delete("/users/{user:str}/disabled", summary="Open a closed account again", opt={"writes": "record"})
    async def enable(principal: Principal, user: str) -> None:
        await identity.accounts.set_disabled(principal, user, False)

    @get("/tokens", summary="One's own tokens, or everybody's in the workspace")
    async def tokens(principal: Principal, everybody: bool = False) -> list[Token]:
        return await identity.tokens.list(principal, everybody=everybody)

    @post("/tokens", summary="Mint a token", opt={"writes": "record"})
    async def mint(principal: Principal, data: NewToken) -> MintedToken:
        return await identity.tokens.mint(principal, data)

    @delete("/tokens/{token:str}", summary="Revoke a token", opt={"writes": "record"})
    async def revoke(principal: Principal, token: str) -> None:
        await identity.tokens.revoke(principal, token)

    @get("/workspaces", summary="Workspaces open to the caller")
    async def workspaces(principal: Principal) -> list[Workspace]:
        return await identity.workspaces.list(principal)

    @post("/workspaces", summary="Make a workspace", opt={"writes": "record"})
    async def create_workspace(principal: Principal, data: NewWorkspace) -> Workspace:
        return await identity.workspaces.create(principal, data.name)

    handlers = [me, users, create_user, set_password, disable, enable, tokens, mint, revoke]
    return Router("/api/v1", route_handlers=[*handlers, workspaces, create_workspace], tags=["identity"])
