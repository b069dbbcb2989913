"""One error root. Each class is a kind of mistake that a caller can act on.

```
KeelError
├── InvalidInput        the request is malformed: mend it
├── NotFound            no such thing, or not yours to see
├── Conflict            it exists already, or changed meanwhile
├── Unauthenticated     who are you?
├── PermissionDenied    you may not
├── TooMany             too many attempts: wait
├── Refused             a gate or policy said no; `reasons` say why
├── Unavailable         try again later
├── NotServed           it is known, and left out on purpose
└── Corrupt             stored content does not match its digest
```
"""

from collections.abc import Sequence


class KeelError(Exception):
    """Root of every error that Modelkeel raises on purpose.

    Args:
        message: what was wrong.
        hint: what to do next, in one sentence; may be empty.
    """

    status = 500
    code = "INTERNAL_ERROR"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class InvalidInput(KeelError):
    """The request is malformed."""

    status = 400
    code = "INVALID_PARAMETER_VALUE"


class NotFound(KeelError):
    """No such thing, or not the caller's to see."""

    status = 404
    code = "RESOURCE_DOES_NOT_EXIST"


class Conflict(KeelError):
    """It changed meanwhile."""

    status = 409
    code = "RESOURCE_CONFLICT"


class AlreadyExists(Conflict):
    """The name is taken."""

    status = 409
    code = "RESOURCE_ALREADY_EXISTS"


class Unauthenticated(KeelError):
    """The caller did not say who they are."""

    status = 401
    code = "UNAUTHENTICATED"


class PermissionDenied(KeelError):
    """The caller may not do this."""

    status = 403
    code = "PERMISSION_DENIED"


class TooMany(KeelError):
    """Too many attempts.

    Args:
        message: of what.
        seconds: how long to wait.
        hint: what to do next.
    """

    status = 429
    code = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, *, seconds: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.seconds = seconds


class Refused(PermissionDenied):
    """A gate, policy or port said no.

    Args:
        message: what was refused.
        reasons: one sentence for each thing that stands in the way.
        hint: what to do next.
    """

    code = "PERMISSION_DENIED"

    def __init__(self, message: str, *, reasons: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reasons = tuple(reasons)

    def __str__(self) -> str:
        return " ".join(filter(None, [self.message, "; ".join(self.reasons), self.hint]))


class Unavailable(KeelError):
    """It can't be done now; trying again may help."""

    status = 503
    code = "TEMPORARILY_UNAVAILABLE"


class NotServed(KeelError):
    """The request is of a protocol that we speak, but of a part that is left out on purpose."""

    status = 501
    code = "NOT_IMPLEMENTED"


class Corrupt(KeelError):
    """Stored content does not match its digest."""

    status = 500
    code = "DATA_LOSS"
