"""uv, wherever it is: beside this Python, or on the search path."""

import shutil
import sys
from pathlib import Path

from modelkeel.core.errors import Unavailable


def uv_command(*arguments: str) -> list[str]:
    """A command line for uv.

    Raises:
        Unavailable: uv is not installed.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise Unavailable("uv is not installed here.", hint="Install it with `pip install uv`.")
    return [found, *arguments]
