"""The runtime process: `python -m modelkeel.runtime.server`, started by the supervisor with two inherited sockets.

One is the listening socket that all runtimes share, the other the supervisor's end of a socket pair. When the pair
closes, the supervisor is gone and the runtime finishes what is in flight and ends.
"""

import argparse
import asyncio
import contextlib
import gc
import itertools
import logging
import socket
from pathlib import Path

import msgspec
import uvicorn

from modelkeel.core.errors import KeelError, Refused
from modelkeel.runtime.access import is_loopback
from modelkeel.runtime.app import MAX_BODY, Application
from modelkeel.runtime.framing import pack, read_frame
from modelkeel.runtime.messages import (
    Abort,
    Commit,
    Done,
    FromRuntime,
    Hello,
    Merged,
    Prepare,
    Report,
    Stop,
    ToRuntime,
    Used,
    WantMetrics,
    to_runtime,
)
from modelkeel.runtime.metrics import Snapshot
from modelkeel.runtime.spool import Spool
from modelkeel.runtime.state import State
from modelkeel.wire.serving import RoutingTable

GATHER_SECONDS = 2.0
READINGS = 3
USES_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Runtime:
    """One runtime process: the HTTP server, its state, and the line to the supervisor.

    Args:
        folder: the serving folder.
        slot: this process's place.
        name: a name no other runtime has had; the spool files carry it.
    """

    def __init__(self, folder: Path, slot: int, name: str) -> None:
        self._folder = folder
        self._state = State(folder, slot, Spool(folder / "spool", name))
        self._sequence = itertools.count(1)
        self._gathering: dict[int, asyncio.Future[list[Snapshot]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._server: uvicorn.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(
        self, listener: socket.socket, control: socket.socket, *, max_body: int, hosts: frozenset[str]
    ) -> None:
        """Serves until told to stop.

        Args:
            listener: the shared listening socket.
            control: the line to the supervisor.
            max_body: bytes of a request's body at most.
            hosts: names that Host may have besides loopback's.
        """
        control.setblocking(False)
        reader, self._writer = await asyncio.open_unix_connection(sock=control)
        await self._load_stored()
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)  # answers make no cycles; the usual 700 cost a tenth of the rate
        await self._load_stored()  # keys that were revoked meanwhile
        local = is_loopback(listener.getsockname()[0])
        config = uvicorn.Config(
            Application(self._state, self._gather, local, max_body, hosts),
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=2048,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
        )
        self._server = uvicorn.Server(config)
        serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        live = self._state.live
        self._tell(Hello(live.generation if live else 0, self._state.failures, live.renewal if live else 0))
        listening = asyncio.create_task(self._listen(reader))
        telling = asyncio.create_task(self._tell_uses())
        await serving
        listening.cancel()
        telling.cancel()
        await self._state.close()
        await asyncio.to_thread(self._state.spool.close)

    async def _load_stored(self) -> None:
        for _ in range(READINGS):
            table = await asyncio.to_thread(read_table, self._folder)
            live = self._state.live
            if live is not None and (live.generation, live.renewal) == (table.generation, table.renewal):
                return  # while models were loaded, no key was revoked
            try:
                await self._state.prepare(table, tolerant=True)
            except Refused:
                _log.exception("the stored routing table is not usable")
                await self._state.prepare(RoutingTable())
            self._state.commit()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while (frame := await read_frame(reader)) is not None:
            task = asyncio.create_task(self._handle(to_runtime.decode(frame)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._stop(10.0)

    async def _tell_uses(self) -> None:
        while True:
            await asyncio.sleep(USES_SECONDS)
            if days := self._state.uses.take():
                self._tell(Used(days))

    async def _handle(self, message: ToRuntime) -> None:
        if isinstance(message, Merged):
            future = self._gathering.pop(message.seq, None)
            if future is not None and not future.done():
                future.set_result(message.snapshots)
            return
        done = Done(message.seq)
        try:
            match message:
                case Prepare():
                    await self._state.prepare(message.table, tolerant=message.tolerant)
                case Commit():
                    self._state.commit()
                    done.failures = self._state.failures
                case Abort():
                    self._state.abort()
                case Report():
                    done.snapshot = self._state.snapshot()
                case Stop():
                    self._stop(message.drain_seconds)
        except Refused as error:
            done.reasons = list(error.reasons) or [str(error)]
        except KeelError as error:
            done.reasons = [str(error)]
        self._tell(done)

    def _stop(self, drain_seconds: float) -> None:
        if self._server is not None:
            self._server.config.timeout_graceful_shutdown = max(1, int(drain_seconds))
            self._server.should_exit = True

    def _tell(self, message: FromRuntime) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(pack(message))

    async def _gather(self) -> list[Snapshot]:
        sequence = next(self._sequence)
        future = self._gathering[sequence] = asyncio.get_running_loop().create_future()
        self._tell(WantMetrics(sequence))
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(future, GATHER_SECONDS)
        return [self._state.snapshot()]


def read_table(folder: Path) -> RoutingTable:
    """The stored routing table; an empty one if there is none."""
    try:
        return msgspec.json.decode((folder / "routing.json").read_bytes(), type=RoutingTable)
    except FileNotFoundError:
        return RoutingTable()
    except msgspec.MsgspecError:
        _log.exception("routing.json can't be read")
        return RoutingTable()


def main() -> None:
    """Parses the command line and serves."""
    parser = argparse.ArgumentParser(prog="modelkeel.runtime.server")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--slot", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--max-body", type=int, default=MAX_BODY)
    parser.add_argument("--allowed-host", action="append", default=[])
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s runtime {arguments.slot} %(levelname)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # malformed requests must not fill the log
    listener = socket.socket(fileno=arguments.listen_fd)
    control = socket.socket(fileno=arguments.control_fd)
    runtime = Runtime(arguments.folder, arguments.slot, arguments.name)
    try:
        import uvloop
    except ImportError:
        runner = asyncio.Runner()
    else:
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        hosts = frozenset(arguments.allowed_host)
        runner.run(runtime.run(listener, control, max_body=arguments.max_body, hosts=hosts))


if __name__ == "__main__":
    main()
