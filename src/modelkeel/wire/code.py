"""What a script says of its own code, so that the runs it makes can show what stood behind them."""

import msgspec

from modelkeel.wire.captures import Snapshot

CAPTURE_TAG = "modelkeel.capture"
"""On a run: the word by which its code is handed in later, when it has been captured."""
SNAPSHOT_TAG = "modelkeel.snapshot"
"""On a run: the digest of its code."""
FOLDER = "modelkeel/code"
FILES, CHANGES, ABOUT = f"{FOLDER}/files.tar", f"{FOLDER}/changes.patch", f"{FOLDER}/about.json"


class Code(msgspec.Struct, frozen=True):
    """The code of a script as it was.

    Attributes:
        snapshot: its project's files, and what had changed since git's commit.
        branch: git's branch, if it is on one.
        script: the file that ran, below the project's folder.
    """

    snapshot: Snapshot
    branch: str | None = None
    script: str | None = None


class HandedIn(msgspec.Struct, frozen=True):
    """The runs that show the code now."""

    runs: list[str]
