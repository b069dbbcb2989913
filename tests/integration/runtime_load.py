"""A steady open-loop load over keep-alive connections, light enough to share two cores with the server."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

from tests.integration.runtime_models import NAMES, body


@dataclass
class Outcome:
    """What the callers saw: answers by status, connections that broke, and the answered revisions."""

    statuses: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    wrong: int = 0
    revisions: dict[str, int] = field(default_factory=dict)
    pids: set[int] = field(default_factory=set)


class Caller:
    """One keep-alive connection."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, document: Any) -> tuple[int, Any]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        data = json.dumps(document).encode()
        try:
            writer.write(
                f"POST {self._path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            return int(head.split(" ")[1]), json.loads(await reader.readexactly(length))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            self._streams = None
            raise

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(OSError):
                await self._streams[1].wait_closed()


async def steady(port: int, seconds: float, *, rate: int = 500, connections: int = 20) -> Outcome:
    """`rate` requests a second for `seconds`; each has one to three rows of its own and checks its row count."""
    outcome = Outcome()
    loop = asyncio.get_running_loop()
    begin = loop.time()

    async def one(number: int) -> None:
        caller = Caller(port, "/v2/models/late/infer")
        for turn in range(int(rate * seconds / connections)):
            due = begin + (turn * connections + number) / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            rows = [[float(turn % 7 - 3 + i), number / 10, 0.5 * (i + 1)][: len(NAMES)] for i in range(turn % 3 + 1)]
            try:
                status, answer = await caller.post(body(rows, id=f"{number}-{turn}"))
            except (OSError, asyncio.IncompleteReadError):
                outcome.broken += 1
                continue
            outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
            if status == 200:
                revision = answer["parameters"]["revision"]
                outcome.revisions[revision] = outcome.revisions.get(revision, 0) + 1
                if answer["id"] != f"{number}-{turn}" or len(answer["outputs"][0]["data"]) != len(rows):
                    outcome.wrong += 1
        await caller.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    return outcome
