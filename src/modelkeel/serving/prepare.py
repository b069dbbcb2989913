"""Makes a version's files ready to be served: fetched, verified, compiled in a process of the model's environment."""

import asyncio
import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

import msgspec

from modelkeel.core.errors import KeelError
from modelkeel.core.hashing import sha256, sha256_file
from modelkeel.core.paths import resolve
from modelkeel.core.sandbox import Sandbox, for_installing, memory_limit
from modelkeel.registry.models import ModelVersion
from modelkeel.serving.table import Prepared
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.home import sync_folder
from modelkeel.wire.serving import ModelKind, ModelSchema

COMPILER = Path(__file__).with_name("compile_model.py")
COMPILE_SECONDS = 300
_NETWORK = frozenset({"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_DIR"})
_NOT_PREPARED = "The model could not be prepared"
IGNORED = frozenset({"mlflow", "mlflow-skinny"})  # the tracking client never changes what a model predicts


class _Result(msgspec.Struct, frozen=True):
    kind: ModelKind
    note: str
    schema: ModelSchema


class Preparer:
    """Keeps prepared versions in the serving folder, by the digest of the version's tree.

    Args:
        blobs: where the files come from; each chunk is verified on the way.
        serving: the folder that the runtimes read.
        environments: the folder of model environments.
        demanded: whether a model is refused where this machine can't confine its code.
    """

    def __init__(self, blobs: BlobStore, serving: Path, environments: Path, *, demanded: bool = False) -> None:
        self._demanded = demanded
        self._blobs = blobs
        self._serving = serving
        self._environments = environments

    async def prepare(self, version: ModelVersion) -> Prepared:
        """Fetches, compiles and describes a version; at once where that was done before.

        Raises:
            KeelError: the files are damaged, the environment can't be made, or the model can't be served.
        """
        folder = self._serving / "models" / version.digest
        done = folder / "prepared.json"
        if not await asyncio.to_thread(done.exists):
            scratch = folder.with_name(f".{version.digest}.{os.getpid()}")
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
            await self._fetch(version, scratch / "model")
            prepared = await self._compile(version.digest, scratch)
            (scratch / "prepared.json").write_bytes(msgspec.json.encode(prepared))
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            scratch.rename(folder)
            await asyncio.to_thread(sync_folder, folder.parent)
        return msgspec.json.decode(await asyncio.to_thread(done.read_bytes), type=Prepared)

    async def _fetch(self, version: ModelVersion, folder: Path) -> None:
        for file in version.files:
            path = await asyncio.to_thread(_inside, folder, file.path)
            with path.open("wb") as target:
                async for chunk in self._blobs.stream(file.digest):
                    await asyncio.to_thread(target.write, chunk)

    async def _compile(self, digest: str, folder: Path) -> Prepared:
        python = await self._python(folder / "model")
        made = folder / "made"
        made.mkdir(mode=0o700)
        sandbox = Sandbox(
            read=[str(folder / "model")],
            write=[str(made)],
            demanded=self._demanded,
            limits={"memory": memory_limit()},
        )
        command = sandbox.script(python, COMPILER, str(folder / "model"), str(made))
        await _run(command, made, _NOT_PREPARED, HOME=str(made), TMPDIR=str(made))
        _take(made, folder)
        result = msgspec.json.decode((folder / "result.json").read_bytes(), type=_Result)
        base = f"models/{digest}"
        onnx = result.kind == "onnx"
        return Prepared(
            kind=result.kind,
            note=result.note,
            path=f"{base}/model.onnx" if onnx else f"{base}/model",
            digest=sha256_file(folder / "model.onnx") if onnx else digest,
            schema=result.schema,
            sample=f"{base}/sample.json",
            python="" if onnx else python,
        )

    async def _python(self, model: Path) -> str:
        """An interpreter with the model's logged packages: this one where they are the same, else one built by uv."""
        listed = model / "requirements.txt"
        wanted = [line.strip() for line in listed.read_text().splitlines()] if listed.exists() else []
        wanted = [line for line in wanted if line and not line.startswith(("#", "-"))]
        if all(_installed(line) for line in wanted):
            return sys.executable
        needs = sorted({*wanted, "mlflow-skinny", "pandas", "msgspec", "skl2onnx", "onnxruntime"})
        folder = self._environments / sha256("\n".join([sys.version, *needs]).encode())[:32]
        python = folder / "bin" / "python"
        if not (folder / ".complete").exists():
            uv = str(Path(sys.executable).with_name("uv"))
            await _run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], model, "No environment")
            cache = self._environments / ".cache"
            cache.mkdir(exist_ok=True, mode=0o700)
            install = [uv, "pip", "install", "-q", "--cache-dir", str(cache), "--python", str(python), *needs]
            confined = for_installing(folder, cache, demanded=self._demanded).program(*install)
            await _run(confined, model, "The model's environment could not be built", **_uv_variables(cache))
            (folder / ".complete").touch()
        return str(python)


def _inside(folder: Path, name: str) -> Path:
    """The place of a file in a model's folder, which it can't leave; its own folder is made."""
    path = resolve(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _take(made: Path, folder: Path) -> None:
    """Moves what the compiler made out of the one folder that the model could write to; a link in it leads nowhere."""
    for name in ("result.json", "sample.json", "model.onnx"):
        path = made / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise KeelError(f"{_NOT_PREPARED}: it left something that is no file at {name}.")
        if path.exists():
            path.rename(folder / name)
    shutil.rmtree(made)


def _uv_variables(cache: Path) -> dict[str, str]:
    """What tells uv where packages come from. A model's own code never sees it: there may be a password in it."""
    found = {name: value for name, value in os.environ.items() if name.startswith("UV_") or name in _NETWORK}
    return {**found, "TMPDIR": str(cache)}


def _installed(line: str) -> bool:
    name, _, version = line.partition("==")
    name = name.split("[")[0].strip()
    if name.lower() in IGNORED:
        return True
    try:
        return bool(version) and metadata.version(name) == version.strip()
    except metadata.PackageNotFoundError:
        return False


async def _run(command: list[str], folder: Path, failure: str, **variables: str) -> None:
    """Runs a child in a clean environment, with a time limit."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "UV_CACHE_DIR", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", **variables}
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await asyncio.wait_for(child.communicate(), COMPILE_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()
        raise KeelError(f"{failure}: it took longer than {COMPILE_SECONDS} s.") from None
    except asyncio.CancelledError:
        child.kill()
        raise
    if child.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-3:]
        raise KeelError(f"{failure}: {' '.join(last)[:800]}")
