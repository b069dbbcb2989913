"""Checks an export of a Modelkeel ledger, without Modelkeel: `python verify.py DIRECTORY`.

One file for Python 3.11 or later. It needs the standard library, and `cryptography` for the signatures. The format is
described in docs/formats/ledger.md. It holds that nothing was changed, removed, added or moved since the log signed its
checkpoint, and names the first entry where that is not so. Who signed is only as sure as the key: compare it with the
one that you were given in another way, or pass that one with `--vkey`.

Exit codes: 0 all is well · 1 tampered · 2 not a usable bundle · 3 all is well, but the signatures were not checked.
"""

import argparse
import base64
import binascii
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import file_digest, sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

FORMAT = "modelkeel-ledger-bundle/1"
SHARD = 65_536
INSTALLATION = {"format", "kind", "origin", "vkeys", "entries", "texts", "blobs"}
WORKSPACE = INSTALLATION | {"workspace"}
TEXT = {"index", "name", "salt", "text"}
_HASH = re.compile(r"[0-9a-f]{64}")
_SHOWN = 20
_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

Progress = Callable[[int, int], None]


class Unusable(Exception):
    """The directory is not a bundle that can be checked."""


@dataclass
class Problem:
    """One thing that is wrong: the file, the entry's index in the log where it is known, and what."""

    where: str
    index: int | None
    what: str


@dataclass
class Report:
    """What the check found."""

    verdict: str = "ok"
    origin: str = ""
    kind: str = ""
    size: int = 0
    root: str = ""
    entries: int = 0
    bad_entries: int = 0
    workspaces: int = 0
    commitments: int = 0
    texts: int = 0
    blobs: int = 0
    signed_by: list[str] = field(default_factory=list)
    signatures_checked: bool = False
    trusted: bool = False
    problems: list[Problem] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return {"ok": 0, "tampered": 1, "unusable": 2, "unsigned": 3}[self.verdict]

    @property
    def first(self) -> Problem | None:
        """The problem at the lowest index; those without an index come last."""
        return min(self.problems, key=lambda p: (p.index is None, p.index or 0), default=None)

    def add(self, where: str, index: int | None, what: str) -> None:
        """Notes a problem; each file tells of its first few only."""
        if sum(problem.where == where for problem in self.problems) < _SHOWN:
            self.problems.append(Problem(where, index, what))


@dataclass(frozen=True)
class Note:
    """A checkpoint note, taken apart. `signatures` holds (name, key id, signature)."""

    text: str
    origin: str
    size: int
    root: bytes
    signatures: list[tuple[str, bytes, bytes]]


@dataclass(frozen=True)
class Shape:
    """Where the entries of the bundle stand in the log, and the hashes of what is left out between them."""

    size: int
    indices: Sequence[int]
    omitted: list[bytes]

    def root(self, leaves: bytes) -> bytes | None:
        """The tree's root from the entries' leaf hashes (32 bytes each); None if the counts do not fit."""
        omitted, stack = iter(self.omitted), list[tuple[int, bytes]]()
        if len(leaves) != 32 * len(self.indices):
            return None

        def push(level: int, node: bytes) -> None:
            while stack and stack[-1][0] == level:
                node = sha256(b"\x01" + stack.pop()[1] + node).digest()
                level += 1
            stack.append((level, node))

        at = 0
        for position, index in enumerate((*self.indices, self.size) if self.omitted else self.indices):
            while at < index:  # fill the gap with the largest complete subtrees that fit
                level = (index - at).bit_length() - 1
                level = min(level, (at & -at).bit_length() - 1) if at else level
                node = next(omitted, None)
                if node is None:
                    return None
                push(level, node)
                at += 1 << level
            if index < self.size:
                push(0, leaves[32 * position : 32 * position + 32])
                at += 1
        if at != self.size or next(omitted, None) is not None:
            return None
        return _fold([node for _, node in stack])


def verify(
    directory: str | Path, *, trusted: Sequence[str] = (), since: str | None = None, progress: Progress | None = None
) -> Report:
    """Checks a bundle.

    Args:
        directory: the export.
        trusted: verifier keys known in another way; one of them must have signed.
        since: the text of a checkpoint seen earlier; the log must begin with what it held (installation bundles only).
        progress: called with (entries checked, all entries) after each shard.
    """
    report = Report()
    try:
        _verify(Path(directory), report, trusted, since, progress)
    except Unusable as error:
        report.verdict = "unusable"
        report.add(str(directory), None, str(error))
        return report
    if report.problems:
        report.verdict = "tampered"
    elif not report.signatures_checked:
        report.verdict = "unsigned"
    return report


def _verify(folder: Path, report: Report, trusted: Sequence[str], since: str | None, progress: Progress | None) -> None:
    manifest = _manifest(_read(folder / "bundle.json"))
    note = _note(_read(folder / "checkpoint"))
    report.origin, report.kind, report.size, report.root = note.origin, manifest["kind"], note.size, note.root.hex()
    report.entries = manifest["entries"]
    if manifest["origin"] != note.origin:
        report.add("bundle.json", None, f"the origin is {manifest['origin']!r}, the checkpoint says {note.origin!r}")
    _signatures(note, manifest["vkeys"], trusted, report)
    shape = _shape(folder, manifest, note, report)
    leaves = _read(folder / "leaves.bin")
    sound = shape.root(leaves) == note.root  # then the leaf hashes are what was signed, and locate a changed entry
    computed = _Entries(folder, manifest, shape, leaves, sound, report).check(progress)
    if not sound:
        _blame(computed, leaves, shape, note.root, report)
    if since is not None:
        _grown(_note(since.encode()), note, leaves if sound else computed, manifest["kind"], report)
    _blobs(folder / "blobs", manifest["blobs"], report)


def _manifest(raw: bytes) -> dict[str, Any]:
    try:
        found = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError) as error:
        raise Unusable(f"bundle.json is not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise Unusable(f"bundle.json does not say {FORMAT!r}; get the verifier that belongs to its format")
    workspace = found.get("kind") == "workspace"
    good = found.keys() == (WORKSPACE if workspace else INSTALLATION) and found["kind"] in ("installation", "workspace")
    good = good and all(type(found[key]) is int and found[key] >= 0 for key in ("entries", "texts", "blobs"))
    good = good and all(isinstance(found[key], str) for key in ("origin", *(["workspace"] if workspace else [])))
    good = good and isinstance(found["vkeys"], list) and all(isinstance(key, str) for key in found["vkeys"])
    if not good or _canonical(found) != raw:
        raise Unusable("bundle.json is not in its exact form (docs/formats/ledger.md)")
    return found


def _note(raw: bytes) -> Note:
    """Takes a C2SP signed-note apart that holds a tlog-checkpoint; nothing is checked but its form."""
    try:
        text, gap, tail = raw.decode().rpartition("\n\n")
        lines, signatures = text.split("\n"), []
        if not gap or not tail.endswith("\n") or len(lines) < 3 or not all(lines):
            raise Unusable("the checkpoint is not a signed note")
        for line in tail[:-1].split("\n"):
            dash, name, encoded = line.split(" ")
            signature = _unb64(encoded)
            if dash != "\N{EM DASH}" or not name or len(signature) != 68:
                raise Unusable("the checkpoint has a malformed signature line")
            signatures.append((name, signature[:4], signature[4:]))
        size, root = int(lines[1]), _unb64(lines[2])
    except ValueError as error:
        raise Unusable(f"the checkpoint is not a signed note: {error}") from error
    if not 0 <= size < 1 << 62 or str(size) != lines[1] or len(root) != 32:
        raise Unusable("the checkpoint has no proper size and root")
    return Note(text + "\n", lines[0], size, root, signatures)


def _signatures(note: Note, vkeys: list[str], trusted: Sequence[str], report: Report) -> None:
    """The checkpoint must bear a good signature by each listed key, in their order, and no other."""
    keys = [_vkey(text) for text in vkeys]
    report.signed_by = vkeys
    if not keys or [(name, ident) for name, ident, _ in keys] != [(n, i) for n, i, _ in note.signatures]:
        report.add("checkpoint", None, "the signatures are not by the keys that bundle.json lists")
        return
    report.trusted = any(text.strip() in vkeys for text in trusted)
    if trusted and not report.trusted:
        report.add("checkpoint", None, "none of the keys that you trust has signed it")
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return
    report.signatures_checked = True
    for (name, _, public), (_, _, signature) in zip(keys, note.signatures, strict=True):
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, note.text.encode())
        except InvalidSignature:
            report.add("checkpoint", None, f"the signature by {name} is wrong")


def _vkey(text: str) -> tuple[str, bytes, bytes]:
    name, _, rest = text.partition("+")
    ident, _, encoded = rest.partition("+")
    try:
        raw = _unb64(encoded)
    except ValueError as error:
        raise Unusable(f"the key {text!r} is malformed") from error
    expected = sha256(name.encode() + b"\n" + raw).digest()[:4]
    if len(raw) != 33 or raw[0] != 1 or ident != expected.hex():
        raise Unusable(f"the key {text!r} is not an Ed25519 key with its id")
    return name, expected, raw[1:]


def _shape(folder: Path, manifest: dict[str, Any], note: Note, report: Report) -> Shape:
    count = manifest["entries"]
    if manifest["kind"] == "installation":
        if count != note.size:
            report.add("bundle.json", None, f"{count} entries are said, the checkpoint covers {note.size}")
        return Shape(note.size, range(note.size), [])
    raw, omitted = _read(folder / "indices.bin"), _read(folder / "omitted.bin")
    indices = [int.from_bytes(raw[at : at + 8], "big") for at in range(0, len(raw), 8)]
    ascending = all(low < high for low, high in pairwise([-1, *indices, note.size]))
    if len(raw) != 8 * count or not ascending or len(omitted) % 32:
        raise Unusable("indices.bin or omitted.bin does not fit bundle.json and the checkpoint")
    return Shape(note.size, indices, [omitted[at : at + 32] for at in range(0, len(omitted), 32)])


class _Entries:
    """The pass over all entries: leaf hashes, the chain of each workspace, and the texts that open commitments."""

    def __init__(
        self, folder: Path, manifest: dict[str, Any], shape: Shape, leaves: bytes, sound: bool, report: Report
    ) -> None:
        self.folder, self.shape, self.leaves, self.sound, self.report = folder, shape, leaves, sound, report
        self.workspace: str | None = manifest.get("workspace")
        self.count = len(shape.indices)
        self.texts_said = manifest["texts"]
        self.texts = _texts(folder / "texts.jsonl", self.texts_said, report)
        self.text = next(self.texts, None)
        self.chains: dict[str, tuple[int, str]] = {}
        self.where = ""

    def check(self, progress: Progress | None) -> bytes:
        """Checks every entry and returns the leaf hashes that their bytes give."""
        computed = bytearray()
        files = {path.name for path in (self.folder / "entries").glob("*")}
        for start in range(0, self.count, SHARD):
            name = f"{start // SHARD:09}.jsonl"
            self.where, want = f"entries/{name}", min(SHARD, self.count - start)
            if name not in files:
                self.report.add(self.where, self.shape.indices[start], "the entries from here on are missing")
                break
            files.remove(name)
            *lines, rest = _read(self.folder / self.where).split(b"\n")
            if rest:
                self.report.add(self.where, None, "the last line has no end")
                lines.append(rest)
            for position, line in enumerate(lines[:want], start):
                digest = sha256(b"\x00" + line).digest()
                computed += digest
                if self.sound and digest != self.leaves[32 * position : 32 * position + 32]:
                    self._mismatch(position, digest)
                elif not (self.sound and self.report.bad_entries):  # after a bad entry the chain says nothing new
                    self._entry(self.shape.indices[position], line, digest)
            if len(lines) != want:
                index = self.shape.indices[start + len(lines)] if len(lines) < want else None
                self.report.add(self.where, index, f"there are {len(lines)} entries instead of {want}")
                computed += bytes(32 * max(0, want - len(lines)))
            if progress:
                progress(start + want, self.count)
        for name in sorted(files):
            self.report.add(f"entries/{name}", None, "this file does not belong here")
        if self.text is not None and not self.report.bad_entries:
            self.report.add("texts.jsonl", None, f"a text is for entry {self.text['index']}, which is not here")
        self.report.workspaces = len(self.chains)
        return bytes(computed)

    def _mismatch(self, position: int, digest: bytes) -> None:
        self.report.bad_entries += 1
        if self.report.bad_entries > 1:
            return
        what = "its bytes are not those that were signed"
        at = self.leaves.find(digest)
        if at >= 0 and at % 32 == 0:
            what = f"entry {self.shape.indices[at // 32]} stands in its place"
        self.report.add(self.where, self.shape.indices[position], what)

    def _entry(self, index: int, line: bytes, digest: bytes) -> None:
        try:
            entry = _DECODER.decode(line.decode())
            workspace, wseq, wprev, commits = entry["workspace"], entry["wseq"], entry["wprev"], entry["commits"]
            self.report.commitments += len(commits)
            expected = self.chains.get(workspace, (0, ""))
            if not isinstance(commits, dict):
                raise TypeError("commits is not an object")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.report.add(self.where, index, f"it is not an entry ({error})")
            return
        if self.workspace is not None and workspace != self.workspace:
            self.report.add(self.where, index, f"it belongs to workspace {workspace!r}, not to {self.workspace!r}")
        if (wseq, wprev) != expected:
            what = f"number {wseq} of workspace {workspace!r} follows, where number {expected[0]} was due"
            if wseq == expected[0]:
                what = f"its link does not fit the entry before it in workspace {workspace!r}: one of them was changed"
            self.report.add(self.where, index, what)
            wseq = wseq if type(wseq) is int else expected[0]
        self.chains[workspace] = (wseq + 1, digest.hex())
        while self.text is not None and self.text["index"] <= index:
            self._text(index, commits, self.text)
            self.text = next(self.texts, None)

    def _text(self, index: int, commits: dict[str, Any], text: dict[str, Any]) -> None:
        name = text["name"]
        if text["index"] != index or name not in commits:
            self.report.add("texts.jsonl", text["index"], f"the text {name!r} is for a commitment that is not here")
        elif sha256(bytes.fromhex(text["salt"]) + text["text"].encode()).hexdigest() != commits[name]:
            self.report.add("texts.jsonl", index, f"the text {name!r} is not the one that was committed to")
        else:
            self.report.texts += 1


def _texts(path: Path, count: int, report: Report) -> Iterator[dict[str, Any]]:
    """The lines of texts.jsonl, each in its exact form and in order; what is not so is reported."""
    if count == 0 and not path.exists():
        return
    *lines, rest = _read(path).split(b"\n")
    if len(lines) != count or rest:
        report.add(path.name, None, f"there are {len(lines)} lines instead of {count}")
    last = (-1, "")
    for number, line in enumerate(lines, 1):
        try:
            text = _DECODER.decode(line.decode())
            good = text.keys() == TEXT and type(text["index"]) is int and _canonical(text) == line
            good = good and type(text["name"]) is type(text["salt"]) is type(text["text"]) is str
            good = good and _HASH.fullmatch(text["salt"]) is not None and last < (text["index"], text["name"])
        except (ValueError, AttributeError, RecursionError):
            good = False
        if not good:
            report.add(path.name, None, f"line {number} is malformed, repeated or out of order")
            continue
        last = (text["index"], text["name"])
        yield text


def _blame(computed: bytes, leaves: bytes, shape: Shape, root: bytes, report: Report) -> None:
    """The hashes in leaves.bin do not give the root: says whether they are wrong, or the entries, or both."""
    count = min(len(shape.indices), max(len(computed), len(leaves)) // 32)
    differ = (n for n in range(count) if computed[32 * n : 32 * n + 32] != leaves[32 * n : 32 * n + 32])
    index = next((shape.indices[n] for n in differ), None)
    if shape.root(computed) == root:
        report.add("leaves.bin", index, "the hash is not that of the entry, which is as it was signed")
    elif index is not None:
        report.bad_entries += 1
        report.add("entries", index, "entry and leaf hash disagree, and neither gives the checkpoint's root")
    else:
        report.add("checkpoint", None, "its root is not that of the entries: an entry and its leaf hash were changed")


def _grown(old: Note, new: Note, leaves: bytes, kind: str, report: Report) -> None:
    if kind != "installation" or old.origin != new.origin:
        raise Unusable("an earlier checkpoint can only be held against an installation bundle of the same log")
    if old.size > new.size or Shape(old.size, range(old.size), []).root(leaves[: 32 * old.size]) != old.root:
        report.add(
            "checkpoint", None, f"the log no longer begins with the {old.size} entries of your earlier checkpoint"
        )


def _blobs(folder: Path, count: int, report: Report) -> None:
    """Each file is named by the SHA-256 of its content."""
    for path in sorted(folder.glob("*")):
        with path.open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != path.name:
                report.add(f"blobs/{path.name}", None, "the content is not what the name says")
        report.blobs += 1
    if report.blobs != count:
        report.add("blobs", None, f"there are {report.blobs} files instead of {count}")


def _fold(subtrees: list[bytes]) -> bytes:
    """RFC 6962: the root over complete subtrees of falling size."""
    current = subtrees[-1] if subtrees else sha256(b"").digest()
    for left in subtrees[-2::-1]:
        current = sha256(b"\x01" + left + current).digest()
    return current


def _canonical(value: Any) -> bytes:
    """RFC 8785, for objects with ASCII keys and no floats."""
    return _ENCODER.encode(value).encode(errors="surrogatepass")


def _unb64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:  # spare bits in the last character: only one spelling is allowed
        raise binascii.Error("malformed base64")
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path.name} can't be read: {error.strerror}") from error


def describe(report: Report) -> str:
    """The report as text for people."""
    lines = []
    if report.origin:
        lines.append(f"log         {report.origin}, {report.size:,} entries, root {report.root}")
        lines.append(f"bundle      {report.kind}, {report.entries:,} entries of {report.workspaces} workspace(s)")
        lines += [f"signed by   {key}" for key in report.signed_by]
        lines.append(f"texts       {report.texts:,} of {report.commitments:,} commitments opened")
        lines.append(f"blobs       {report.blobs:,}")
    if report.verdict == "unsigned":
        lines.append("The signatures were NOT checked: install the Python package `cryptography`, then run this again.")
    elif report.verdict == "ok" and not report.trusted:
        lines.append("Compare the key above with the one that you were given, or pass that one with --vkey.")
    first = report.first
    if first is not None:
        entry = "" if first.index is None else f"entry {first.index}: "
        lines.append(f"{report.verdict.upper()}: {entry}{first.what} ({first.where})")
        lines += [f"  also {p.where}: {p.what}" for p in report.problems if p is not first]
    else:
        lines.append("OK: every entry is as it was when the checkpoint was made.")
    if report.bad_entries > 1:
        lines.append(f"  {report.bad_entries:,} entries do not match their leaf hashes in all")
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Checks an export of a Modelkeel ledger.")
    parser.add_argument("directory", nargs="?", default=Path(__file__).parent, type=Path)
    parser.add_argument("--vkey", action="append", default=[], help="a verifier key that you trust; may be repeated")
    parser.add_argument("--since", type=Path, help="file with a checkpoint that you kept from an earlier check")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)

    def progress(done: int, total: int) -> None:
        if total > 2 * SHARD:
            sys.stderr.write(f"\r{done:,} of {total:,} entries checked" + ("\n" if done == total else ""))

    since = options.since.read_text(encoding="utf-8") if options.since else None
    report = verify(options.directory, trusted=options.vkey, since=since, progress=progress)
    print(json.dumps(asdict(report), indent=2) if options.json else describe(report))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
