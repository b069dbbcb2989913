"""The supervisor: `python -m modelkeel.runtime.supervisor --home DIR`, one small process per home.

It binds the prediction port once, starts the runtimes that inherit it, restarts those that die, and swaps their
routing tables together. It needs no control plane: what it serves stands in `serving/routing.json`.
"""

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec

from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, KeelError, Refused, Unavailable
from modelkeel.runtime.access import DAY_MS
from modelkeel.runtime.framing import pack, read_frame, short_address
from modelkeel.runtime.messages import Merged, Prepare
from modelkeel.runtime.recovery import any_lives, recover
from modelkeel.runtime.workers import Worker
from modelkeel.version import __version__
from modelkeel.wire.serving import (
    Answer,
    Applied,
    Apply,
    AskStatus,
    Control,
    NotApplied,
    RoutingTable,
    Shutdown,
    Status,
    Stopping,
)

LOAD_SECONDS = 180.0
START_SECONDS = 30.0
ORPHAN_SECONDS = 12.0
SOCKET_NAME = "supervisor.sock"
_log = logging.getLogger(__name__)
_decoder: msgspec.msgpack.Decoder[Control] = msgspec.msgpack.Decoder(Control)


class Supervisor:
    """Runtimes, their table, and the control socket.

    Args:
        folder: the serving folder.
        listener: the bound prediction socket.
        workers: how many runtimes.
        options: further options of a runtime's command line.
    """

    def __init__(self, folder: Path, listener: socket.socket, workers: int, options: list[str]) -> None:
        self._folder = folder
        self._host, self._port = listener.getsockname()[:2]
        self._started = now_ms()
        self._table = _stored(folder)
        self._turn = asyncio.Lock()
        self._ending = asyncio.Event()
        self._drain_seconds = 10.0
        self._workers = [
            Worker(slot, folder, listener, options, self._update, self._metrics) for slot in range(workers)
        ]

    async def run(self) -> None:
        """Serves until told to stop, or until the home folder is gone."""
        path = self._folder / SOCKET_NAME
        path.unlink(missing_ok=True)
        with short_address(path) as address:
            control = await asyncio.start_unix_server(self._converse, address)
        path.chmod(0o600)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        tending = [asyncio.create_task(worker.run()) for worker in self._workers]
        watching = asyncio.create_task(self._watch_home())
        await self._ending.wait()
        watching.cancel()
        control.close()
        await asyncio.gather(*(worker.stop(self._drain_seconds) for worker in self._workers))
        for task in tending:
            task.cancel()
        await asyncio.gather(*tending, return_exceptions=True)
        path.unlink(missing_ok=True)

    async def _watch_home(self) -> None:
        lock = self._folder / "supervisor.lock"
        mine = lock.stat().st_ino
        while True:
            await asyncio.sleep(1.0)
            await asyncio.to_thread(recover, self._folder / "spool")  # runtimes of a dead supervisor end one by one
            try:
                gone = lock.stat().st_ino != mine
            except OSError:
                gone = True
            if gone:
                _log.warning("the home folder is gone; ending")
                self._drain_seconds = 1.0
                self._ending.set()
                return

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (frame := await read_frame(reader)) is not None:
                writer.write(pack(await self._answer(frame)))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, frame: bytes) -> Answer:
        try:
            message = _decoder.decode(frame)
        except msgspec.MsgspecError as error:
            return NotApplied([f"The message is not understood: {error}."])
        match message:
            case AskStatus():
                return self.status()
            case Shutdown():
                self._drain_seconds = message.drain_seconds
                self._ending.set()
                return Stopping()
            case Apply(table):
                return await self._try(table)

    async def _try(self, table: RoutingTable) -> Applied | NotApplied:
        try:
            if not self._renews(table):  # a revoked key waits for no process that starts: it reads what is stored
                await self._wait_ready()
            async with self._turn:
                await self._apply(table)
        except Refused as error:
            return NotApplied(list(error.reasons) or [str(error)])
        except KeelError as error:
            return NotApplied([str(error)])
        return Applied(table.generation)

    def status(self) -> Status:
        """The state of everything."""
        workers = [worker.status() for worker in self._workers]
        table = self._table
        at = (os.getpid(), self._host, self._port, table.generation, self._started)
        return Status(*at, __version__, workers, table.renewal, self._used())

    def _used(self) -> dict[str, int]:
        """Days, by key, of today and yesterday; older ones were told."""
        recent = now_ms() // DAY_MS - 1
        found: dict[str, int] = {}
        for worker in self._workers:
            for digest, day in worker.used.items():
                if day >= recent:
                    found[digest] = max(day, found.get(digest, 0))
        return found

    def _renews(self, table: RoutingTable) -> bool:
        """Whether only keys differ from what is served."""
        return _keyless(table) == _keyless(self._table)

    async def _apply(self, table: RoutingTable) -> None:
        asked, served = (table.generation, table.renewal), (self._table.generation, self._table.renewal)
        if asked < served:
            raise Refused(f"Generation {asked} is older than {served}, which is served.")
        ready = [worker for worker in self._workers if worker.ready.is_set()]
        if not ready and not self._renews(table):
            raise Unavailable("No runtime is up.", hint="The serving log says why.")
        results = await asyncio.gather(
            *(worker.prepare(Prepare(0, table), LOAD_SECONDS) for worker in ready), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await asyncio.gather(*(worker.abort() for worker in ready), return_exceptions=True)
            reasons = dict.fromkeys(
                reason
                for failure in failures
                for reason in (failure.reasons if isinstance(failure, Refused) and failure.reasons else [str(failure)])
            )
            raise Refused("The routing table was not applied.", reasons=list(reasons))
        # From here on the table stands: a runtime that dies now reads it, or is brought up to date, when it is back.
        self._table = table
        try:
            await asyncio.to_thread(_store, self._folder, table)
        finally:
            await asyncio.gather(*(worker.commit(table) for worker in ready), return_exceptions=True)

    async def _wait_ready(self) -> None:
        """Waits for runtimes that are starting; not under the lock, which they need to become ready."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                for worker in self._workers:
                    await worker.ready.wait()

    async def _update(self, worker: Worker) -> None:
        """Brings a runtime that has just started to the table that the others serve."""
        if worker.serves(self._table) and not self._turn.locked():
            worker.ready.set()
            return
        async with self._turn:
            try:
                if not worker.serves(self._table):
                    await worker.prepare(Prepare(0, self._table, tolerant=True), LOAD_SECONDS)
                    await worker.commit(self._table)
                worker.ready.set()
            except KeelError as error:
                _log.warning("runtime %s can't be brought up to date: %s", worker.slot, error)

    async def _metrics(self, worker: Worker, sequence: int) -> None:
        up = [other for other in self._workers if other.ready.is_set()]
        results = await asyncio.gather(*(other.report() for other in up), return_exceptions=True)
        snapshots = [done.snapshot for done in results if not isinstance(done, BaseException) and done.snapshot]
        worker.answer(sequence, Merged(sequence, snapshots))


def _keyless(table: RoutingTable) -> RoutingTable:
    endpoints = tuple(msgspec.structs.replace(endpoint, keys=()) for endpoint in table.endpoints)
    return msgspec.structs.replace(table, endpoints=endpoints, known=(), renewal=0)


def _stored(folder: Path) -> RoutingTable:
    try:
        return msgspec.json.decode((folder / "routing.json").read_bytes(), type=RoutingTable)
    except (FileNotFoundError, msgspec.MsgspecError):
        return RoutingTable()


def _store(folder: Path, table: RoutingTable) -> None:
    """Writes the table so that a crash leaves the old one or the new one, never half of one."""
    part = folder / "routing.json.part"
    with part.open("wb") as file:
        file.write(msgspec.json.encode(table))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / "routing.json")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_lock(folder: Path) -> int:
    """Takes the folder's lock until this process ends.

    Returns:
        The lock's file descriptor; it must stay open.

    Raises:
        Conflict: another supervisor has it.
    """
    descriptor = os.open(folder / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.read(descriptor, 20).decode() or "?"
        os.close(descriptor)
        raise Conflict(f"A serving supervisor (process {pid}) runs on this home already.") from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def bind(host: str, port: int) -> socket.socket:
    """The prediction socket.

    Raises:
        Conflict: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Conflict(f"The prediction port {host}:{port} can't be bound: {error.strerror}.") from error
    listener.listen(2048)
    return listener


def main() -> int:
    """Parses the command line and supervises."""
    parser = argparse.ArgumentParser(prog="modelkeel.runtime.supervisor")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--max-body", type=int)
    parser.add_argument("--allowed-host", action="append", default=[])
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor %(levelname)s %(message)s")
    folder = arguments.home.resolve() / "serving"
    (folder / "spool").mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = take_lock(folder)
        orphans_end = time.monotonic() + ORPHAN_SECONDS
        while any_lives(folder / "spool") and time.monotonic() < orphans_end:
            time.sleep(0.05)  # runtimes whose supervisor was killed still hold its port
        listener = bind(arguments.host, arguments.port)
    except KeelError as error:
        print(error, file=sys.stderr)
        return 3
    recover(folder / "spool")
    options = [] if arguments.max_body is None else ["--max-body", str(arguments.max_body)]
    options += [part for name in arguments.allowed_host for part in ("--allowed-host", name)]
    asyncio.run(Supervisor(folder, listener, max(1, arguments.workers), options).run())
    os.close(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
