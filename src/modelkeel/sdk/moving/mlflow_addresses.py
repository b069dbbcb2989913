"""Addresses of an MLflow: what they name, compare by and show."""

from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

DATABASES = ("postgresql", "mysql", "mssql", "sqlite")


def driven(uri: str) -> str:
    """A database's address with the driver that is installed with us, where it names none."""
    return uri.replace("postgresql://", "postgresql+psycopg://", 1) if uri.startswith("postgresql://") else uri


def local(uri: str) -> Path:
    """The folder or file that a path or `file:` names."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri).expanduser().absolute()


def plain(uri: str) -> str:
    """An address in the one form that can be compared."""
    parts = urlsplit(uri)
    if parts.scheme in {"", "file"}:
        return str(local(uri)).rstrip("/")
    return (
        f"{parts.scheme}:/{parts.path.lstrip('/')}".rstrip("/")
        if parts.scheme == "mlflow-artifacts"
        else uri.rstrip("/")
    )


def lasting(uri: str) -> str:
    """What names a source for good: its address without credentials, a path made absolute."""
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme == "sqlite":
        return f"sqlite:///{Path(uri.partition('sqlite:///')[2]).absolute()}"
    return shown(uri).rstrip("/") if scheme in {"http", "https", *DATABASES} else str(local(uri))


def shown(uri: str) -> str:
    """The address without credentials."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else uri
