"""The sandbox of a pipeline's code in a process that the server started."""

import os
import sys
from pathlib import Path

from modelkeel.core.sandbox import GIB, Sandbox, isolation, memory_limit
from modelkeel.core.secrets import PREFIX
from modelkeel.wire.pipelines import Confined, Job

_OURS = Path(__file__).parents[3]


def confined(
    command: list[str], variables: dict[str, str], job: Job, rules: Confined, file: Path
) -> tuple[list[str], dict[str, str]]:
    """The command that runs a prepared job confined, and its variables.

    It reads its environment, its project and what the operator allows; writes in its scratch folder; reaches the
    server.

    Args:
        command: runs the prepared job.
        variables: of that process.
        job: names its folders.
        rules: what the server said.
        file: the job's own.
    """
    scratch = Path(job.scratch)
    home, temporary = scratch / ".home", scratch / ".tmp"
    for folder in (home, temporary):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # This interpreter may find packages outside its own folder: editable ones, ours among them.
    found = [entry for entry in sys.path if entry and Path(entry).exists()]
    sandbox = Sandbox(
        read=[str(file), str(_OURS), *found, *rules.read],
        write=[str(scratch), "/dev/shm"],  # noqa: S108 - for semaphores  # nosec B108
        strict=False,
        control=rules.control,
        demanded=rules.demanded,
        limits={"memory": memory_limit(), "file_size": 64 * GIB, "files": 4096, "processes": 4096},
    )
    given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    variables = {**variables, **given, "HOME": str(home), "TMPDIR": str(temporary)}
    if isolation().namespaces:  # there, whatever the server's address is, it answers at this one
        variables["MODELKEEL_URL"] = f"http://127.0.0.1:{rules.control.rpartition(':')[2]}"
    return sandbox.program(*command), variables
