"""A secret is a name; its value is found on the host that needs it, and stands nowhere else."""

import re
from collections.abc import Mapping
from pathlib import Path

from modelkeel.core.errors import InvalidInput, NotFound

PREFIX = "MODELKEEL_SECRET_"
FOLDER = "MODELKEEL_SECRETS"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def check_name(name: str) -> None:
    """Returns if this can be a secret's name.

    Raises:
        InvalidInput: it can't.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"{name[:100]!r} is no name of a secret.", hint="Use letters, digits and underscores, as in DB_PASSWORD."
        )


def resolve(name: str, variables: Mapping[str, str], folder: Path) -> str:
    """The value of a secret on this host.

    Looked for in this order: the variable `MODELKEEL_SECRET_NAME`, the file `NAME` in the folder of secrets, the
    variable `NAME`. A line's end after the value is not part of it.

    Args:
        name: of the secret.
        variables: this process's.
        folder: of secrets, where MODELKEEL_SECRETS does not name another.

    Raises:
        NotFound: it is not on this host.
        InvalidInput: it is no name, or others on this machine can read or write the file.
    """
    check_name(name)
    if PREFIX + name in variables:
        return variables[PREFIX + name]
    named = variables.get(FOLDER)
    path = Path(named or folder) / name
    if path.is_file():
        # A folder that was named is somebody else's to guard: Docker and Kubernetes mount theirs readable.
        if path.stat().st_mode & (0o002 if named else 0o077):
            raise InvalidInput(f"Others on this machine can get at the secret {name}.", hint=f"chmod 600 {path}")
        return path.read_text().rstrip("\r\n")
    if name in variables:
        return variables[name]
    raise NotFound(
        f"There is no secret {name} on this host.", hint=f"Put it into the file {path}, or set the variable {name}."
    )
