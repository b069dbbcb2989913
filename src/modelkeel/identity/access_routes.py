"""Roles, groups and grants over HTTP."""

from litestar import Router, delete, get, put
from litestar.handlers import HTTPRouteHandler

from modelkeel.core.access import Kind, Permission, Principal, Role
from modelkeel.identity.grants import Access, Grant, Group, NewGrant

_RECORD = {"writes": "record"}


def router(access: Access) -> Router:
    """`/api/v1/grants`, `/groups`, `/users/{id}/roles` and `/installation/users/{id}/roles`."""

    @get("/grants", summary="Who was granted or denied what")
    async def grants(principal: Principal, kind: Kind | None = None, id: str | None = None) -> list[Grant]:  # noqa: A002
        return await access.grants(principal, kind, id)

    @put("/grants", summary="Grant or deny permissions on one object", opt={"writes": "record"})
    async def put_grant(principal: Principal, data: NewGrant) -> Grant:
        return await access.put(principal, data)

    @delete("/grants", summary="Take a grant or denial back", opt={"writes": "record"})
    async def delete_grant(
        principal: Principal,
        to: str,
        kind: Kind,
        id: str,  # noqa: A002 - the word of the address
        effect: str = "allow",
        group: bool = False,
    ) -> None:
        await access.remove(principal, NewGrant(to, kind, id, [Permission.READ], effect, group))

    @get("/groups", summary="Groups of the workspace")
    async def groups(principal: Principal) -> list[Group]:
        return await access.groups(principal)

    @put("/groups/{name:str}/members/{user:str}", summary="Put a user into a group", opt={"writes": "record"})
    async def join(principal: Principal, name: str, user: str) -> None:
        await access.set_member(principal, name, user, True)

    @delete("/groups/{name:str}/members/{user:str}", summary="Take a user out of a group", opt={"writes": "record"})
    async def leave(principal: Principal, name: str, user: str) -> None:
        await access.set_member(principal, name, user, False)

    @put("/groups/{name:str}/roles/{role:str}", summary="Give a role to a group", opt={"writes": "record"})
    async def give_group(principal: Principal, name: str, role: Role) -> None:
        await access.set_role(principal, name, role, True, group=True)

    @delete("/groups/{name:str}/roles/{role:str}", summary="Take a role from a group", opt={"writes": "record"})
    async def take_group(principal: Principal, name: str, role: Role) -> None:
        await access.set_role(principal, name, role, False, group=True)

    @put("/users/{user:str}/roles/{role:str}", summary="Give a role to a user", opt={"writes": "record"})
    async def give(principal: Principal, user: str, role: Role) -> None:
        await access.set_role(principal, user, role, True)

    @delete("/users/{user:str}/roles/{role:str}", summary="Take a role from a user", opt={"writes": "record"})
    async def take(principal: Principal, user: str, role: Role) -> None:
        await access.set_role(principal, user, role, False)

    handlers = [
        *_above(access),
        grants,
        put_grant,
        delete_grant,
        groups,
        join,
        leave,
        give_group,
        take_group,
        give,
        take,
    ]
    return Router("/api/v1", route_handlers=handlers, tags=["access"])


def _above(access: Access) -> list[HTTPRouteHandler]:
    """`/installation/users/{id}/roles`."""

    @put("/installation/users/{user:str}/roles/{role:str}", summary="Give a role above workspaces", opt=_RECORD)
    async def give_above(principal: Principal, user: str, role: Role) -> None:
        await access.set_installation_role(principal, user, role, True)

    @delete("/installation/users/{user:str}/roles/{role:str}", summary="Take a role above workspaces", opt=_RECORD)
    async def take_above(principal: Principal, user: str, role: Role) -> None:
        await access.set_installation_role(principal, user, role, False)

    return [give_above, take_above]
