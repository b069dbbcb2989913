"""The verifier against every kind of tampering, in this process and as the program that an auditor runs."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from modelkeel.core.errors import Conflict
from modelkeel.ledger import notes
from modelkeel.ledger.bundle import write_bundle
from modelkeel.ledger.verifier import SHARD, verify

Make = Callable[[int], Any]


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 13])
def test_an_untouched_export_passes(make_log: Make, tmp_path: Path, size: int) -> None:
    log = make_log(size)
    report = verify(log.export(tmp_path / "out"), trusted=[log.vkey])
    assert (report.verdict, report.exit_code, report.problems) == ("ok", 0, [])
    assert (report.entries, report.workspaces) == (size, min(size, 3))
    assert (report.texts, report.commitments, report.blobs) == (len(log.texts), len(log.texts), 1)
    assert report.trusted


@pytest.mark.parametrize("size", [1, 3, 8, 13, 40])
def test_the_export_of_one_workspace_passes(make_log: Make, tmp_path: Path, size: int) -> None:
    log = make_log(size)
    for name, mine in log.home.items():
        report = verify(log.export_workspace(tmp_path / name, name))
        assert report.problems == []
        assert (report.kind, report.entries, report.workspaces, report.size) == ("workspace", len(mine), 1, size)


@pytest.mark.parametrize("kind", ["installation", "workspace"])
def test_every_changed_byte_is_caught(make_log: Make, tmp_path: Path, kind: str) -> None:
    log = make_log(5)
    out = tmp_path / "out"
    folder = log.export(out) if kind == "installation" else log.export_workspace(out, "workspace-1")
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "verify.py"]
    assert {path.name for path in files} >= {"bundle.json", "checkpoint", "leaves.bin", "000000000.jsonl"}
    assert verify(folder).exit_code == 0
    for path in files:
        content = path.read_bytes()
        for at, byte in enumerate(content):
            for new in {byte ^ 1, byte ^ 32, ord("\n"), 0} - {byte}:
                path.write_bytes(content[:at] + bytes([new]) + content[at + 1 :])
                assert verify(folder).exit_code in (1, 2), f"{path.name}: byte {at} made {new}"
        path.write_bytes(content)


def test_a_changed_entry_is_named(make_log: Make, tmp_path: Path) -> None:
    log = make_log(12)
    folder = log.export(tmp_path / "out")
    shard = folder / "entries" / "000000000.jsonl"
    lines = shard.read_bytes().split(b"\n")
    for index in range(12):
        tampered = lines.copy()
        tampered[index] = lines[index].replace(b'"value":', b'"velue":')
        with changed(shard, b"\n".join(tampered)):
            report = verify(folder)
        assert report.exit_code == 1
        assert report.first is not None
        assert (report.first.index, report.bad_entries) == (index, 1)


def test_a_changed_leaf_hash_is_told_from_a_changed_entry(make_log: Make, tmp_path: Path) -> None:
    log = make_log(12)
    folder = log.export(tmp_path / "out")
    leaves = bytearray((folder / "leaves.bin").read_bytes())
    leaves[32 * 7] ^= 1
    with changed(folder / "leaves.bin", bytes(leaves)):
        report = verify(folder)
    assert [(p.where, p.index) for p in report.problems] == [("leaves.bin", 7)]


def test_an_entry_changed_with_its_leaf_hash_breaks_the_root_and_the_chain(make_log: Make, tmp_path: Path) -> None:
    log = make_log(12)
    log.entries[4] = log.entries[4].replace(b"user-1", b"user-2")
    report = verify(log.export(tmp_path / "out", leaves=None))
    assert report.exit_code == 1
    assert report.first is not None
    assert report.first.index == 7  # the next entry of workspace-1 links to what entry 4 was
    assert any("root" in problem.what for problem in report.problems)


@given(data=st.data(), size=st.integers(2, 20), kept=st.booleans())
def test_removed_repeated_swapped_or_cut_entries_are_found(
    make_log: Make, data: st.DataObject, size: int, kept: bool
) -> None:
    """`kept`: the stored leaf hashes are there to locate it; else the forger has made them anew."""
    log = make_log(size)
    entries = log.entries.copy()
    at = data.draw(st.integers(0, size - 1))
    how = data.draw(st.sampled_from(["change", "remove", "repeat", "swap", "cut"]))
    if how == "change":
        entries[at] = entries[at].replace(b"run.created", b"run.deleted")
    elif how == "remove":
        del entries[at]
    elif how == "repeat":
        entries.insert(at, entries[at])
        at += 1
    elif how == "cut":
        del entries[at:]
    else:
        other = data.draw(st.integers(0, size - 1).filter(lambda n: n != at))
        entries[at], entries[other] = entries[other], entries[at]
        at = min(at, other)
    with tempfile.TemporaryDirectory() as folder:
        changes: dict[str, Any] = {} if kept else {"leaves": None}
        report = verify(log.export(Path(folder), entries=entries, **changes))
    assert report.verdict == "tampered"
    if kept and at < size:
        assert report.first is not None
        assert report.first.index == at


def test_a_missing_or_added_file_is_found(make_log: Make, tmp_path: Path) -> None:
    folder = make_log(4).export(tmp_path / "out")
    for name in ("entries/000000001.jsonl", "entries/extra", "blobs/extra"):
        (folder / name).write_bytes(b"x\n")
        assert verify(folder).exit_code == 1
        (folder / name).unlink()
    for name in ("bundle.json", "checkpoint", "leaves.bin", "texts.jsonl"):
        (folder / name).rename(tmp_path / "away")
        assert verify(folder).exit_code == 2
        (tmp_path / "away").rename(folder / name)
    assert verify(folder).exit_code == 0
    (folder / "entries" / "000000000.jsonl").unlink()
    report = verify(folder)
    assert report.first is not None
    assert (report.exit_code, report.first.index) == (1, 0)


def test_an_omitted_entry_in_the_middle_of_a_workspace_shows(make_log: Make, tmp_path: Path) -> None:
    """Even when the forger proves the remaining entries rightly against the checkpoint."""
    log = make_log(12)
    log.home["workspace-1"].remove(4)
    report = verify(log.export_workspace(tmp_path / "out", "workspace-1"))
    assert [(problem.index, "number 2" in problem.what) for problem in report.problems] == [(7, True)]


def test_entries_of_another_workspace_are_not_taken(make_log: Make, tmp_path: Path) -> None:
    log = make_log(6)
    log.home["forged"] = log.home["workspace-2"]
    report = verify(log.export_workspace(tmp_path / "out", "forged"))
    assert {problem.index for problem in report.problems} == {2, 5}


def test_an_erased_text_leaves_the_proof_whole(make_log: Make, tmp_path: Path) -> None:
    log = make_log(5)
    report = verify(log.export(tmp_path / "out", texts=log.texts[1:]))
    assert (report.verdict, report.texts, report.commitments) == ("ok", len(log.texts) - 1, len(log.texts))


def test_a_text_that_was_never_committed_to_is_found(make_log: Make, tmp_path: Path) -> None:
    log = make_log(5)
    for number, text in enumerate(
        [(1, "name", "00" * 32, "x"), (2, "other", "00" * 32, "x"), (9, "name", "00" * 32, "")]
    ):
        assert verify(log.export(tmp_path / str(number), texts=[*log.texts, text])).verdict == "tampered"


def test_a_bundle_resigned_by_a_stranger_fails_against_the_trusted_key(make_log: Make, tmp_path: Path) -> None:
    log, trusted = make_log(5), make_log(1).vkey
    log.key = Ed25519PrivateKey.generate()
    log.vkey = notes.vkey(log.key, "example.org/ledger")
    folder = log.export(tmp_path / "out")
    assert verify(folder, trusted=[trusted]).verdict == "tampered"
    alone = verify(folder)
    assert (alone.verdict, alone.trusted) == ("ok", False)  # no key to compare with: the report must say so


def test_a_rotation_needs_both_signatures(make_log: Make, tmp_path: Path) -> None:
    log, key = make_log(5), Ed25519PrivateKey.generate()
    both = notes.add_signature(log.checkpoint, key, "example.org/ledger")
    vkeys = [log.vkey, notes.vkey(key, "example.org/ledger")]
    assert verify(log.export(tmp_path / "a", checkpoint=both, vkeys=vkeys), trusted=vkeys[1:]).verdict == "ok"
    assert verify(log.export(tmp_path / "b", vkeys=vkeys)).verdict == "tampered"


def test_a_log_that_was_begun_anew_fails_against_an_earlier_checkpoint(make_log: Make, tmp_path: Path) -> None:
    log = make_log(9)
    folder = log.export(tmp_path / "out")
    for size in (0, 1, 4, 9):
        assert verify(folder, since=make_log(size).checkpoint).verdict == "ok"
    forked = make_log(4)
    forked.add(4, "workspace-9")
    assert verify(folder, since=forked.checkpoint).verdict == "tampered"
    assert verify(folder, since=make_log(10).checkpoint).verdict == "tampered"
    assert verify(log.export_workspace(tmp_path / "part", "workspace-1"), since=log.checkpoint).verdict == "unusable"


def test_shards_are_cut_and_checked_where_they_should_be(make_log: Make, tmp_path: Path) -> None:
    log = make_log(SHARD + 3)
    folder = log.export(tmp_path / "out")
    assert sorted(path.name for path in (folder / "entries").iterdir()) == ["000000000.jsonl", "000000001.jsonl"]
    assert verify(folder).verdict == "ok"
    second = folder / "entries" / "000000001.jsonl"
    with changed(second, second.read_bytes().replace(b"user-1", b"user-2", 1)):
        report = verify(folder)
    assert report.first is not None
    assert (report.first.index, report.bad_entries) == (SHARD, 1)
    with changed(second, b"".join(second.read_bytes().splitlines(keepends=True)[:2])):
        report = verify(folder)
    assert report.first is not None
    assert (report.verdict, report.first.index) == ("tampered", SHARD + 2)
    second.unlink()
    report = verify(folder)
    assert report.first is not None
    assert (report.verdict, report.first.index) == ("tampered", SHARD)


def test_an_export_never_overwrites(make_log: Make, tmp_path: Path) -> None:
    log = make_log(1)
    log.export(tmp_path / "out")
    with pytest.raises(Conflict):
        write_bundle(tmp_path / "out", entries=[], checkpoint=log.checkpoint, vkeys=[])


def run(folder: Path, *options: str, python: tuple[str, ...] = ("-I",)) -> subprocess.CompletedProcess[str]:
    """Runs the copy in the bundle, with nothing of ours on its path."""
    command = [sys.executable, *python, str(folder / "verify.py"), *options]
    environment = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder.parent, env=environment)


def test_the_program_in_the_bundle(make_log: Make, tmp_path: Path) -> None:
    log = make_log(6)
    folder = log.export(tmp_path / "out")
    good = run(folder, "out", "--vkey", log.vkey)
    assert (good.returncode, good.stderr) == (0, "")
    assert "OK: every entry is as it was" in good.stdout
    assert "Compare the key" in run(folder).stdout
    told = json.loads(run(folder, "--json").stdout)
    assert (told["verdict"], told["entries"], told["signatures_checked"]) == ("ok", 6, True)

    shard = folder / "entries" / "000000000.jsonl"
    shard.write_bytes(shard.read_bytes().replace(b"user-1", b"user-2", 1))
    bad = run(folder)
    assert bad.returncode == 1
    assert "TAMPERED: entry 0: its bytes are not those that were signed (entries/000000000.jsonl)" in bad.stdout
    assert run(folder, "nowhere").returncode == 2


def test_without_cryptography_the_tree_is_checked_and_the_rest_is_said(make_log: Make, tmp_path: Path) -> None:
    folder = make_log(6).export(tmp_path / "out")
    bare = ("-I", "-S")  # no site-packages
    plain = run(folder, python=bare)
    assert plain.returncode == 3
    assert "NOT checked" in plain.stdout
    with changed(folder / "leaves.bin", bytes(6 * 32)):
        assert run(folder, python=bare).returncode == 1


def test_the_verifier_imports_nothing_of_ours(make_log: Make, tmp_path: Path) -> None:
    folder = make_log(1).export(tmp_path / "out")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / "verify.py", alone)
    code = f"import sys; sys.path.insert(0, {str(alone)!r}); import verify; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in done.stdout.split() if name.split(".")[0] == "modelkeel"]
