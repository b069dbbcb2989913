"""A model that did not compile: it predicts in a process of its own environment, supervised from here."""

import asyncio
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput, KeelError, Refused, Unavailable
from modelkeel.core.sandbox import Sandbox, memory_limit
from modelkeel.runtime.columns import Columns
from modelkeel.runtime.framing import pack, read_frame
from modelkeel.wire.serving import Revision

LOAD_SECONDS = 120.0
_WORKER = Path(__file__).with_name("native_worker.py")


class _Reply(msgspec.Struct):
    outputs: list[list[Any]] | None = None
    error: str = ""
    caller: bool = False


_decoder = msgspec.msgpack.Decoder(_Reply)


class NativeModel:
    """The runtime's end of a native model's process.

    Args:
        revision: what to load and with which interpreter.
        folder: the MLflow model folder.
    """

    platform = "mlflow"

    def __init__(self, revision: Revision, folder: Path) -> None:
        self._revision = revision
        self._folder = folder
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._scratch = ""
        self._backoff = 0.1
        self._retry_at = 0.0

    def inline(self, rows: int) -> bool:  # noqa: ARG002 - the same question is asked of every kind of model
        """Never: it is another process."""
        return False

    def run(self, columns: Columns, rows: int) -> Columns:
        """Not possible here; `inline` says so."""
        raise NotImplementedError

    async def start(self) -> None:
        """Starts the process and has it load the model.

        Raises:
            Refused: the interpreter or the model can't be loaded.
        """
        ours, theirs = socket.socketpair()
        self._scratch = tempfile.mkdtemp(prefix="modelkeel-model-")
        limits = {"memory": memory_limit()}
        sandbox = Sandbox(read=[str(self._folder)], write=[self._scratch], limits=limits)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *sandbox.script(self._revision.python, _WORKER, "--fd", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                cwd=self._scratch,
                env=_clean_environment(self._revision.python, self._scratch),
            )
        except OSError as error:
            ours.close()
            raise Refused(f"The model's interpreter {self._revision.python} can't be started: {error}.") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        first = {"model": str(self._folder), "schema": msgspec.to_builtins(self._revision.schema)}
        try:
            await self._ask(first, LOAD_SECONDS)
        except KeelError as error:
            await self.close()
            raise Refused("The native model can't be loaded.", reasons=[str(error)]) from error

    async def predict(self, columns: Columns, rows: int) -> Columns:
        """Predicts.

        Raises:
            InvalidInput: the model refused the values.
            Unavailable: its process died or took too long; it is being started again.
        """
        async with self._turn:
            if self._process is None:
                await self._restart()
            return await self._ask({"columns": columns, "rows": rows}, self._revision.timeout_ms / 1000)

    async def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        if self._scratch:
            await asyncio.to_thread(shutil.rmtree, self._scratch, True)
            self._scratch = ""

    async def _restart(self) -> None:
        if time.monotonic() < self._retry_at:
            raise Unavailable("The model's process is down; it will be started again shortly.")
        self._retry_at = time.monotonic() + self._backoff
        self._backoff = min(self._backoff * 2, 30.0)
        try:
            await self.start()
        except Refused as error:
            raise Unavailable("The model's process can't be started again.", hint=str(error)) from error

    async def _ask(self, message: Any, seconds: float) -> Columns:
        if self._reader is None or self._writer is None:
            raise Unavailable("The model's process is not running.")
        frame = None
        why = "ended"
        try:
            self._writer.write(pack(message))
            async with asyncio.timeout(seconds):
                frame = await read_frame(self._reader)
        except TimeoutError:
            why = f"did not answer within {seconds:g} s and was ended"
        except OSError:
            pass
        if frame is None:
            await self.close()
            raise Unavailable(f"The model's process {why}.", hint="Try again shortly.")
        reply = _decoder.decode(frame)
        if reply.outputs is not None:
            self._backoff = 0.1
            return reply.outputs
        if reply.caller:
            raise InvalidInput(f"The model can't predict these rows: {reply.error}")
        raise KeelError(f"The model failed: {reply.error}")


def _clean_environment(python: str, scratch: str) -> dict[str, str]:
    """What a model's process may know: where programs are, a folder of its own, one thread; no token, no address."""
    return {
        "PATH": os.pathsep.join([str(Path(python).parent), "/usr/bin", "/bin"]),
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
        "GIT_PYTHON_REFRESH": "quiet",
    }
