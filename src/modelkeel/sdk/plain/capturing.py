"""The capture of a script's code beside the script: in a thread, finished when the process ends.

The project is the folder above the script with a `modelkeel.toml`, `pyproject.toml` or `.git`; a script outside any
project is not captured, because nothing says which files belong to it.
"""

import atexit
import logging
import os
import sys
import threading
import time
from pathlib import Path

from modelkeel.sdk.project import MARKERS, is_project_code, project_root

log = logging.getLogger(__name__)
LARGEST = 50 << 20
"""Bytes of a project's files together; a larger project is not captured."""
EXIT_SECONDS = 20.0
WAIT_SECONDS = 30.0
"""For how long the run may take to be there after the capture."""
_waiting: list[threading.Thread] = []


def begin(url: str, word: str) -> bool:
    """Captures the script's project in the background, and hands it in under a word.

    Returns:
        Whether there is something to capture.
    """
    script = _script()
    root = project_root(script or Path.cwd())
    if not any((root / marker).exists() for marker in MARKERS):
        return False
    if not _waiting:
        atexit.register(finish)
    _waiting[:] = [thread for thread in _waiting if thread.is_alive()]
    thread = threading.Thread(target=_capture, args=(url, word, root, script), name="keel-code", daemon=True)
    _waiting.append(thread)
    thread.start()
    return True


def finish(seconds: float = EXIT_SECONDS) -> None:
    """Waits for captures under way; what takes longer is given up."""
    deadline = time.monotonic() + seconds
    for thread in _waiting:
        thread.join(max(deadline - time.monotonic(), 0))


def _script() -> Path | None:
    """The file that runs; none in a notebook, or where it is a tool's, as with `pytest` or `python -m`."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    path = Path(file).resolve() if file else None
    return path if path is not None and path.suffix == ".py" and is_project_code(path) else None


def _capture(url: str, word: str, root: Path, script: Path | None) -> None:
    try:
        _hand_in(url, word, root, script)
    except Exception as error:
        log.debug("the code was not captured: %s", error, exc_info=True)


def _hand_in(url: str, word: str, root: Path, script: Path | None) -> None:
    from modelkeel.core.errors import NotFound
    from modelkeel.sdk import secrets
    from modelkeel.sdk.api import Api
    from modelkeel.sdk.capture import snapshot
    from modelkeel.sdk.running.recorder import store_content
    from modelkeel.sdk.values import Content
    from modelkeel.wire.code import Code

    taken = snapshot.capture(root, largest=LARGEST)
    with Api(url, _token(), workspace=os.environ.get("MLFLOW_WORKSPACE") or None) as api:
        held = api.post("/api/v1/blobs/held", {"digests": [taken.snapshot.digest]})["digests"]
        content: dict[str, Content] = {} if held else {taken.snapshot.digest: taken.content()}
        if taken.snapshot.diff:
            content[taken.snapshot.diff] = taken.diff
        for piece in content.values():
            name = secrets.held_in(piece) if isinstance(piece, bytes) else None
            if name is not None:
                log.warning("The code was not captured: it holds the value of the secret %s.", name)
                return
        store_content(api, content)
        inside = script is not None and script.is_relative_to(root)
        code = Code(
            taken.snapshot,
            snapshot.branch(root),
            script.relative_to(root).as_posix() if script is not None and inside else None,
        )
        deadline, pause = time.monotonic() + WAIT_SECONDS, 0.05
        while True:
            try:
                api.put(f"/api/v1/captures/{word}", code)
                return
            except NotFound:  # the run is being created
                if time.monotonic() > deadline:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 1.0)


def _token() -> str | None:
    """As the mlflow client shows it: a token, or one in place of a password."""
    token = os.environ.get("MLFLOW_TRACKING_TOKEN") or os.environ.get("MODELKEEL_TOKEN")
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    return token or (password if password.startswith("mk_") else None)
