"""`python -m modelkeel.sdk.sweeps.child TARGET`: a process that runs one trial after another, as its input asks.

JSON lines: in come what is asked and whether to go on after an intermediate value, out go such values and what became
of the trial. What trials print goes to the error output.
"""

import os
import sys
from pathlib import Path

import msgspec

from modelkeel.sdk.api import Api
from modelkeel.sdk.project import load_target
from modelkeel.sdk.sweeps.trial import Asked, run_trial


class Value(msgspec.Struct, frozen=True, tag="value"):
    """An intermediate value, to be answered with `prune` or another line."""

    value: float
    step: int


def main() -> None:
    """Runs trials until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.path.insert(0, str(Path.cwd()))
    target = load_target(sys.argv[1])
    api = Api.from_environment()

    def send(message: msgspec.Struct) -> None:
        answers.write(msgspec.json.encode(message) + b"\n")
        answers.flush()

    def heard(value: float, step: int) -> bool:
        send(Value(value, step))
        return sys.stdin.readline().strip() == "prune"

    for line in iter(sys.stdin.readline, ""):
        send(run_trial(api, target, msgspec.json.decode(line, type=Asked), heard))


if __name__ == "__main__":
    main()
