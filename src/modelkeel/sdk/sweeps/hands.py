"""What runs trials: this process, or several others at once."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.api import Api
from modelkeel.sdk.authoring import Pipeline
from modelkeel.sdk.sweeps.child import Value
from modelkeel.sdk.sweeps.trial import Asked, Ended, Report, run_trial

CHILD = "modelkeel.sdk.sweeps.child"
_MESSAGE = msgspec.json.Decoder(Ended | Value)
Hand = Callable[[Asked, Report], Ended]


@contextmanager
def hands_for(api: Api, target: Any, workers: int) -> Iterator[list[Hand]]:
    """What runs trials: this process, or several others."""
    if workers == 1:
        yield [lambda asked, heard: run_trial(api, target, asked, heard)]
        return
    place = _place(target)
    hands = [_Process(api, place) for _ in range(workers)]
    try:
        yield list(hands)
    finally:
        for hand in hands:
            hand.close()


class _Process:
    """A process that runs trials; a lost one is replaced, and its trial failed."""

    def __init__(self, api: Api, target: str) -> None:
        self._variables = {"PYTHONHASHSEED": "0", **os.environ, "MODELKEEL_URL": api.url}
        if api.token:
            self._variables["MODELKEEL_TOKEN"] = api.token
            self._variables["MLFLOW_TRACKING_TOKEN"] = api.token
        self._target = target
        self._process = self._start()

    def __call__(self, asked: Asked, heard: Report) -> Ended:
        sent, answers = self._process.stdin, self._process.stdout
        assert sent is not None  # noqa: S101 - both are pipes
        assert answers is not None  # noqa: S101
        try:
            sent.write(msgspec.json.encode(asked) + b"\n")
            sent.flush()
            for line in answers:
                message = _MESSAGE.decode(line)
                if isinstance(message, Ended):
                    return message
                sent.write(b"prune\n" if heard(message.value, message.step) else b"go on\n")
                sent.flush()
        except OSError:
            pass
        code = self._process.wait()
        self._process = self._start()
        return Ended("failed", error=f"The process that ran the trial ended with the status {code}.")

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", "-m", CHILD, self._target]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._variables)


def _place(target: Any) -> str:
    function = target.function if isinstance(target, Pipeline) else target
    file = Path(function.__code__.co_filename)
    if file.suffix != ".py" or not file.is_file() or "<" in function.__qualname__ or "." in function.__qualname__:
        raise InvalidInput(
            "Trials in processes of their own want a target that stands in a .py file.", hint="Or use workers=1."
        )
    return f"{file.resolve()}:{function.__name__}"
