"""`modelkeel doctor`: what holds on this machine, and what to mend."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console

from modelkeel.cli.output import print_json
from modelkeel.core.errors import KeelError, Unavailable
from modelkeel.version import __version__

LEAST_FREE = 2 << 30


class Finding(msgspec.Struct, frozen=True):
    """One check: `ok`, `note` (works, with less) or `bad` (mend it)."""

    check: str
    level: Literal["ok", "note", "bad"]
    found: str
    mend: str = ""


def doctor(*, home: Path | None = None, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Check the installation and say what to mend. Exit status 1 if something is bad.

    Parameters
    ----------
    home
        The folder to look at; MODELKEEL_HOME, or ~/.modelkeel.
    json
        Print the findings as JSON.
    """
    from modelkeel.storage.home import default_home

    folder = (home or default_home()).absolute()
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        _page,
        _uv,
        lambda: _home(folder),
        lambda: _space(folder),
        lambda: _server(folder),
        lambda: _predictions(folder),
        _compiler,
        _sandbox,
    )
    found = [check() for check in checks]
    if json:
        print_json(found)
    else:
        console = Console()
        marks = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "bad": "[red]✗[/]"}
        for finding in found:
            mend = f"  [dim]{finding.mend}[/]" if finding.mend else ""
            console.print(f"{marks[finding.level]} {finding.check:12} {finding.found}{mend}", highlight=False)
    if any(finding.level == "bad" for finding in found):
        sys.exit(1)


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()}, Modelkeel {__version__}")


def _page() -> Finding:
    index = Path(__file__).parents[1] / "web" / "static" / "index.html"
    if index.exists():
        return Finding("page", "ok", "the browser application is built")
    mend = "Install again without MODELKEEL_SKIP_UI."
    return Finding("page", "note", "the browser application is not built", mend)


def _uv() -> Finding:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        return Finding("uv", "bad", "not found: environments can't be rebuilt", "pip install uv")
    return Finding("uv", "ok", found)


def _home(folder: Path) -> Finding:
    if not folder.exists():
        return Finding("home", "note", f"{folder} does not exist yet", "`modelkeel up` makes it.")
    mode = folder.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding("home", "bad", f"{folder} is open to others ({mode:03o})", f"chmod 700 {folder}")
    return Finding("home", "ok", f"{folder}, only yours")


def _space(folder: Path) -> Finding:
    at = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(at).free
    text = f"{free / 2**30:.1f} GiB free at {at}"
    return (
        Finding("disk", "ok", text)
        if free >= LEAST_FREE
        else Finding("disk", "bad", text, "Make room: 2 GiB at least.")
    )


def _server(folder: Path) -> Finding:
    from modelkeel.sdk.api import Api

    try:
        with Api.from_environment(folder if (folder / "server.json").exists() else None, timeout=5) as api:
            health = api.get("/health")
            return Finding("server", "ok", f"{api.url}, {health['entries']} ledger entries")
    except Unavailable as error:
        return Finding("server", "note", error.message, error.hint)
    except KeelError as error:
        return Finding("server", "bad", error.message, error.hint)


def _predictions(folder: Path) -> Finding:
    from modelkeel.runtime.control import SupervisorClient

    try:
        status = SupervisorClient(folder).status()
    except Unavailable:
        return Finding("predictions", "note", "no prediction processes run", "They start with the first deployment.")
    failed = {revision: why for worker in status.workers for revision, why in worker.failures.items()}
    if failed:
        return Finding("predictions", "bad", "; ".join(failed.values()), "Deploy another version.")
    return Finding("predictions", "ok", f"port {status.port}, {len(status.workers)} process(es)")


def _compiler() -> Finding:
    import importlib.util

    if importlib.util.find_spec("skl2onnx") is None:
        return Finding("compiling", "note", "skl2onnx is not installed: models serve natively", "modelkeel[compile]")
    return Finding("compiling", "ok", "scikit-learn models compile to ONNX where that is exact")


def _sandbox() -> Finding:
    """What confines models and pipelines that the server starts."""
    from modelkeel.core.sandbox import isolation

    found = isolation()
    if not found.holds:
        missing = " and ".join(
            name for name, there in (("Landlock", found.landlock), ("seccomp", found.seccomp)) if not there
        )
        mend = "A Linux kernel of 5.13 or newer with Landlock has it; a team's server refuses such code without."
        return Finding("sandbox", "note", f"no {missing} on {os.uname().release}: less confined", mend)
    parts = [f"files by Landlock {found.landlock}", "system calls by seccomp"]
    if found.namespaces:
        return Finding("sandbox", "ok", ", ".join([*parts, "no network but the server by namespaces"]))
    if found.landlock >= 4:
        parts.append("TCP by Landlock: pipelines may reach the server's port on any host, and use UDP")
    else:
        parts.append("pipelines may use the network")
    return Finding("sandbox", "note", ", ".join(parts), "Let users make namespaces (user.max_user_namespaces).")
