"""Answers whether somebody may do something; the rule itself is `Principal.may`."""

from modelkeel.core.access import Kind, Object, Permission, Principal, Visible
from modelkeel.core.errors import NotFound, PermissionDenied


class RoleAuthorizer:
    """Allows what roles and grants allow, within the token's scope, unless it is denied."""

    def require(
        self, principal: Principal, permission: Permission, *, what: str = "", on: Object | Kind | None = None
    ) -> None:
        if principal.may(permission, on):
            return
        if isinstance(on, Object) and not principal.may(Permission.READ, on):
            raise NotFound(f"There is no {what or f'{on.kind} {on.id}'}.")
        who = "A caller without a token" if principal.kind == "anonymous" else principal.name
        raise PermissionDenied(
            f"{who} lacks the permission `{permission}`{f' for {what}' if what else ''}.",
            hint="Ask a workspace admin for a role that has it, or use another token (MODELKEEL_TOKEN).",
        )

    def require_everywhere(self, principal: Principal, permission: Permission, *, what: str = "") -> None:
        if permission not in principal.installation:
            raise PermissionDenied(
                f"{principal.name} lacks the permission `{permission}` in the installation as a whole"
                f"{f', for {what}' if what else ''}.",
                hint="Ask an admin of the installation; its first is the owner.",
            )

    def visible(self, principal: Principal, kind: Kind) -> Visible:
        return principal.sees(kind)
