"""The code behind runs of plain scripts: captured beside the script, handed in by a word that the runs carry as a tag.

It lies under the run like any artifact: `modelkeel/code/files.tar`, `changes.patch` and `about.json`.
"""

import re

import msgspec

from modelkeel.core.access import Kind, Object, Permission, Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.storage.blobs import BlobRef
from modelkeel.storage.holdings import held, hold
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import store
from modelkeel.tracking.artifacts import overlap
from modelkeel.tracking.base import Base
from modelkeel.tracking.models import ArtifactOwner, Lifecycle
from modelkeel.wire.code import ABOUT, CAPTURE_TAG, CHANGES, FILES, FOLDER, SNAPSHOT_TAG, Code

_WORD = re.compile(r"[0-9a-f]{32}")


class RunCode(Base):
    """Code of runs."""

    async def hand_in_code(self, principal: Principal, word: str, code: Code) -> list[str]:
        """Puts the code under every active run that carries the word; returns their ids. Again, it changes nothing.

        Args:
            principal: who captured it; its content is stored, and held by the workspace.
            word: value of the runs' tag.
            code: what was captured.

        Raises:
            NotFound: no run that they may write to carries the word (yet), or the content is not there.
        """
        self._may_track(principal, "runs")
        if _WORD.fullmatch(word) is None:
            raise InvalidInput("A capture's word has 32 hexadecimal digits.")
        began = now_ms()
        about = await self._blobs.put(msgspec.json.encode(code))
        snapshot = code.snapshot
        named = {FILES: snapshot.digest} | ({CHANGES: snapshot.diff} if snapshot.diff else {})

        def work(tx: Tx) -> list[str]:
            known = held(tx, principal.workspace, named.values())
            if missing := [path for path, digest in named.items() if digest not in known]:
                raise NotFound(f"The content of {missing[0]} has not been stored.", hint="PUT it to /api/v1/blobs.")
            files = {path: BlobRef(digest, known[digest]) for path, digest in named.items()} | {ABOUT: about}
            hold(tx, principal.workspace, [about], stored=began)  # the others are held already
            found = store.code.tagged(tx, principal.workspace, CAPTURE_TAG, word)
            mine = [row for row in found if self._writes(principal, row)]
            if not mine:
                raise NotFound("No run carries this word.", hint="Send it again once the run has been created.")
            for row in mine:
                self._keep(tx, principal, row, files, snapshot.digest)
            return [row.id for row in mine]

        return await self._db.write(work)

    def _writes(self, principal: Principal, row: store.runs.RunRow) -> bool:
        at = Object(Kind.EXPERIMENT, row.experiment)
        return row.lifecycle == Lifecycle.ACTIVE and principal.may(Permission.TRACK, at)

    def _keep(
        self, tx: Tx, principal: Principal, row: store.runs.RunRow, files: dict[str, BlobRef], digest: str
    ) -> None:
        owner = ArtifactOwner.run(row.id)
        there = store.artifacts.get(tx, owner, ABOUT)
        if there is not None and there.digest == files[ABOUT].digest:
            return
        if any(overlap(FOLDER, prefix) for prefix in store.artifacts.frozen(tx, owner)):
            return  # a version was registered from the whole run meanwhile, and may not change
        for path, blob in files.items():
            if store.artifacts.clash(tx, owner, path) is not None:
                return  # the user keeps files of their own there
            store.artifacts.put(tx, owner, path, blob)
        store.runs.set_tags(tx, row.seq, {SNAPSHOT_TAG: digest})
        self._wrote(tx, row)
        data = {"snapshot": digest, "files": len(files), "size": sum(blob.size for blob in files.values())}
        self._ledger.record(tx, principal, "run.captured", {"run": row.id}, data)
