"""The supervisor's side of a runtime process: start, ask, notice its death, start again with growing pauses."""

import asyncio
import itertools
import logging
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from modelkeel.core.errors import KeelError, Refused, Unavailable
from modelkeel.core.ids import uuid7
from modelkeel.runtime.framing import pack, read_frame
from modelkeel.runtime.messages import (
    Abort,
    Commit,
    Done,
    Hello,
    Merged,
    Prepare,
    Report,
    Stop,
    ToRuntime,
    Used,
    WantMetrics,
    from_runtime,
)
from modelkeel.runtime.recovery import recover_worker
from modelkeel.wire.serving import RoutingTable, WorkerStatus

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
HEALTHY_SECONDS = 30.0
_log = logging.getLogger(__name__)


class Worker:
    """One slot: a runtime process, or the pause before the next one.

    Args:
        slot: its place.
        folder: the serving folder.
        listener: the listening socket that the process inherits.
        options: further options of its command line.
        on_hello: called when a process serves; it brings the process up to date.
        on_metrics: called when a process wants the counters of all.
    """

    def __init__(
        self,
        slot: int,
        folder: Path,
        listener: socket.socket,
        options: list[str],
        on_hello: Callable[["Worker"], Awaitable[None]],
        on_metrics: Callable[["Worker", int], Awaitable[None]],
    ) -> None:
        self.slot = slot
        self.ready = asyncio.Event()
        self.generation = 0
        self.renewal = 0
        self.used: dict[str, int] = {}
        self.failures: dict[str, str] = {}
        self._folder = folder
        self._listener = listener
        self._options = options
        self._on_hello = on_hello
        self._on_metrics = on_metrics
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._pending: dict[int, asyncio.Future[Done]] = {}
        self._sequence = itertools.count(1)
        self._restarts = 0
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    def serves(self, table: RoutingTable) -> bool:
        """Whether it has this table, with these keys."""
        return (self.generation, self.renewal) == (table.generation, table.renewal)

    def status(self) -> WorkerStatus:
        """How it is."""
        pid = self._process.pid if self._process is not None else None
        return WorkerStatus(self.slot, pid, self.ready.is_set(), self.generation, self._restarts, self.failures)

    async def run(self) -> None:
        """Keeps a process alive until `stop`."""
        pause = FIRST_PAUSE
        while not self._stopping:
            started = time.monotonic()
            name = f"{self.slot}-{uuid7()}"
            try:
                await self._live(name)
            except OSError:
                _log.exception("runtime %s can't be started", self.slot)
            await asyncio.to_thread(recover_worker, self._folder / "spool", name)
            if self._ended():
                return
            pause = FIRST_PAUSE if time.monotonic() - started > HEALTHY_SECONDS else min(pause * 2, LONGEST_PAUSE)
            _log.warning("runtime %s died; it starts again in %.1f s", self.slot, pause)
            self._restarts += 1
            await asyncio.sleep(pause)

    def _ended(self) -> bool:
        return self._stopping

    async def ask(self, message: ToRuntime, seconds: float) -> Done:
        """Sends a message and waits for its answer; its `seq` is set here.

        Raises:
            Refused: the runtime says no, with its reasons.
            Unavailable: it died or did not answer in time.
        """
        if self._writer is None:
            raise Unavailable(f"Runtime {self.slot} is not running.")
        message.seq = next(self._sequence)
        future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._pending[message.seq] = future
        try:
            self._writer.write(pack(message))
            done = await asyncio.wait_for(future, seconds)
        except TimeoutError as error:
            raise Unavailable(f"Runtime {self.slot} did not answer within {seconds:g} s.") from error
        finally:
            self._pending.pop(message.seq, None)
        if done.reasons is not None:
            raise Refused(f"Runtime {self.slot} refused.", reasons=done.reasons)
        return done

    async def prepare(self, message: Prepare, seconds: float) -> None:
        """Has it load a table."""
        await self.ask(message, seconds)

    async def commit(self, table: RoutingTable) -> None:
        """Has it swap to this table, which it prepared."""
        done = await self.ask(Commit(0), 10.0)
        self.generation, self.renewal = table.generation, table.renewal
        self.failures = done.failures

    async def abort(self) -> None:
        """Has it forget the prepared table."""
        await self.ask(Abort(0), 10.0)

    async def report(self) -> Done:
        """Gets its counters."""
        return await self.ask(Report(0), 1.0)

    def answer(self, sequence: int, merged: Merged) -> None:
        """Answers its question for the counters of all."""
        if self._writer is not None:
            merged.seq = sequence
            self._writer.write(pack(merged))

    async def stop(self, drain_seconds: float) -> None:
        """Ends the process: by request, and by force when it takes longer than `drain_seconds`."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        try:
            await self.ask(Stop(0, drain_seconds), 2.0)
            await asyncio.wait_for(process.wait(), drain_seconds + 2.0)
        except (KeelError, TimeoutError):
            if process.returncode is None:
                process.kill()

    async def _live(self, name: str) -> None:
        ours, theirs = socket.socketpair()
        listen, control = self._listener.fileno(), theirs.fileno()
        command = ["--folder", str(self._folder), "--slot", str(self.slot), "--name", name]
        command += ["--listen-fd", str(listen), "--control-fd", str(control), *self._options]
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "modelkeel.runtime.server",
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(listen, control),
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        try:
            while (frame := await read_frame(reader)) is not None:
                self._receive(from_runtime.decode(frame))
        finally:
            self.ready.clear()
            self._writer.close()
            self._writer = None
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(Unavailable(f"Runtime {self.slot} died."))
            await self._process.wait()
            self._process = None

    def _receive(self, message: Hello | Done | Used | WantMetrics) -> None:
        match message:
            case Done():
                future = self._pending.get(message.seq)
                if future is not None and not future.done():
                    future.set_result(message)
            case Hello():
                self.generation, self.renewal = message.generation, message.renewal
                self.failures = message.failures
                self._spawn(self._on_hello(self))
            case Used():
                self.used |= message.days
            case WantMetrics():
                self._spawn(self._on_metrics(self, message.seq))

    def _spawn(self, awaitable: Awaitable[None]) -> None:
        task = asyncio.ensure_future(awaitable)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
