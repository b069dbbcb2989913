"""A run's environment and files, rebuilt from what the server holds."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from modelkeel.core.errors import InvalidInput, Unavailable
from modelkeel.core.hashing import digest_of
from modelkeel.core.paths import resolve
from modelkeel.core.sandbox import Sandbox, for_installing
from modelkeel.sdk.api import Api
from modelkeel.sdk.capture.environment import environment_digest, python_version
from modelkeel.sdk.capture.machine import NUMERICS
from modelkeel.sdk.capture.snapshot import unpack
from modelkeel.sdk.capture.uv import uv_command
from modelkeel.sdk.running.recorder import patiently
from modelkeel.sdk.values import decode
from modelkeel.sdk.values.codec import fetched
from modelkeel.wire.captures import Environment
from modelkeel.wire.pipelines import PipelineRun

_KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "UV_CACHE_DIR", "PYTHONUNBUFFERED")


def same_python(environment: Environment) -> str | None:
    """This very interpreter, if it has the run's packages already."""
    return sys.executable if environment.digest == environment_digest() else None


def rebuild_environment(
    api: Api, environment: Environment, folder: Path, *, confined: bool = False, instead: Sequence[str] = ()
) -> str:
    """The interpreter of a virtual environment with exactly the run's packages, built if it is not there yet.

    Args:
        api: the server that holds lock and wheels.
        environment: what was captured.
        folder: where environments are kept, each under its content's name.
        confined: whether packages that build themselves do so in a sandbox.
        instead: packages to install over the run's, with what those need, to see what they change.

    Raises:
        InvalidInput: the run has no lock, or its Python version is not on this machine.
        Unavailable: uv can't install it.
    """
    if environment.lock is None:
        raise InvalidInput("This run's environment was not locked, so it can't be rebuilt.")
    wheels = sorted(wheel.digest for wheel in environment.wheels)
    named = [environment.lock, wheels, environment.python, *([sorted(instead)] if instead else [])]
    place = folder / digest_of(named)[:32]
    python = place / "bin" / "python"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f".{place.name}.lock"):
        if not (place / ".complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            _uv("venv", "-q", "--no-python-downloads", "--python", _interpreter(environment.python), str(place))
            with tempfile.TemporaryDirectory() as scratch:
                _install(api, environment, python, Path(scratch), confined=confined)
            if instead:
                _uv("pip", "install", "-q", "--python", str(python), *instead)
            (place / ".complete").touch()
    return str(python)


def restore_files(api: Api, run: PipelineRun, root: Path) -> None:
    """Lays the run's project files, and declared data that lay inside the project, into a folder.

    Raises:
        InvalidInput: the run has no snapshot.
    """
    if run.snapshot is None:
        raise InvalidInput(
            "This run has no snapshot of its code, so it can't be rerun.",
            hint="Runs from a notebook or that failed have none.",
        )

    def fetch(digest: str) -> bytes:
        return patiently(lambda: api.get_bytes(f"/api/v1/blobs/{digest}"))

    unpack(fetched(fetch, run.snapshot.digest), root)
    for item in run.data:
        try:
            path = resolve(root, item.name)
        except InvalidInput:
            continue  # it lay outside the project
        if item.pinned and item.value.kind in {"file", "folder"} and not path.exists():
            with tempfile.TemporaryDirectory() as scratch:
                laid = decode(item.value, fetch, Path(scratch))
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(laid, path)


def worker_environment(run: PipelineRun, api: Api, *, strict: bool) -> dict[str, str]:
    """The variables of a process that runs a pipeline again.

    Args:
        run: whose thread settings and hash seed it takes over.
        api: the server that it reports to.
        strict: whether nothing else of this process's variables goes along, but what a process needs to live.
    """
    kept = {name: value for name, value in os.environ.items() if not strict or name in _KEPT}
    for name in (*NUMERICS, "PYTHONPATH", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "MLFLOW_RUN_ID"):
        kept.pop(name, None)
    kept = {name: value for name, value in kept.items() if not name.startswith("MLFLOW_TRACKING")}
    variables = run.machine.get("variables", {})
    kept |= {name: str(value) for name, value in variables.items() if name in NUMERICS}
    seed = str(run.machine.get("hash_seed", "0"))
    kept |= {"PYTHONHASHSEED": seed if seed.isdigit() else "0", "MODELKEEL_URL": api.url}
    if api.token:
        kept["MODELKEEL_TOKEN"] = api.token
    return kept


def _install(api: Api, environment: Environment, python: Path, scratch: Path, *, confined: bool) -> None:
    def fetch(digest: str) -> bytes:
        return patiently(lambda: api.get_bytes(f"/api/v1/blobs/{digest}"))

    lock = scratch / "requirements.txt"
    lock.write_bytes(fetched(fetch, str(environment.lock)))
    install = ["pip", "install", "-q", "--python", str(python), "--no-deps"]
    cache = python.parents[2] / ".cache"
    if confined:
        cache.mkdir(exist_ok=True, mode=0o700)
        install += ["--cache-dir", str(cache)]
    box = for_installing(python.parents[1], cache, scratch) if confined else None
    _uv(*install, "--require-hashes", "-r", str(lock), box=box)
    files = []
    for wheel in environment.wheels:
        path = scratch / wheel.filename
        path.write_bytes(fetched(fetch, wheel.digest))
        files.append(str(path))
    if files:
        _uv(*install, *files, box=box)


def _interpreter(version: str) -> str:
    """Something that uv finds the very version by."""
    if version == python_version():
        return sys.executable
    try:
        found = subprocess.run(
            uv_command("python", "find", "--no-python-downloads", f"=={version}"),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise Unavailable(f"uv does not run: {error}.") from error
    if found.returncode != 0:
        raise InvalidInput(
            f"The run used Python {version}, which is not on this machine.",
            hint=f"Install it (for example `uv python install {version}`) and try again.",
        )
    return found.stdout.strip()


def _uv(*arguments: str, box: Sandbox | None = None) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    command = uv_command(*arguments)
    if box is not None:
        clean = {name: value for name, value in clean.items() if not name.startswith("MODELKEEL_")}
        clean["TMPDIR"] = box.write[-1]
        command = box.program(*command)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean)
    if done.returncode != 0:
        raise Unavailable(f"The run's environment could not be built: {done.stderr.strip()[-600:]}")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds a lock file, so that two processes do not build the same environment."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
