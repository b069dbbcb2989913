"""Snapshots, environments and wheels: the same content gives the same bytes, and secrets stay at home."""

import io
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelkeel.sdk.capture import environment, machine, wheels
from modelkeel.sdk.capture.snapshot import Captured, capture, unpack

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]


def _project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "train.py").write_text("x = 1\n")
    (folder / "deep").mkdir()
    (folder / "deep" / "data.csv").write_text("a\n1\n")
    return folder


def _left_out(found: Captured) -> dict[str, str]:
    return {item.path: item.reason for item in found.snapshot.left_out}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Iterator[None]:
    before = os.environ.get("MODELKEEL_HOME")
    os.environ["MODELKEEL_HOME"] = str(tmp_path / "home")
    yield
    if before is None:
        del os.environ["MODELKEEL_HOME"]
    else:
        os.environ["MODELKEEL_HOME"] = before


def test_equal_projects_have_equal_snapshots_and_come_back(tmp_path: Path) -> None:
    first, second = capture(_project(tmp_path / "one")), capture(_project(tmp_path / "two"))
    os.utime(tmp_path / "two" / "train.py", (1, 1))
    assert first.snapshot.digest == second.snapshot.digest == capture(tmp_path / "two").snapshot.digest
    unpack(first.content(), tmp_path / "again")
    assert (tmp_path / "again" / "deep" / "data.csv").read_text() == "a\n1\n"
    (tmp_path / "two" / "train.py").write_text("x = 2\n")
    assert capture(tmp_path / "two").snapshot.digest != first.snapshot.digest


def test_an_unchanged_project_is_not_read_again_but_still_sent(tmp_path: Path) -> None:
    project = _project(tmp_path / "one")
    for path in project.rglob("*"):
        os.utime(path, (1_000_000, 1_000_000))
    first = capture(project)
    again = capture(project)
    assert again.snapshot == first.snapshot
    assert again.content() == first.content()


def test_secrets_large_and_ignored_files_stay_out(tmp_path: Path) -> None:
    project = _project(tmp_path / "one")
    (project / ".env").write_text("TOKEN=x")
    (project / "id_ed25519").write_text("x")
    (project / "notes.txt").write_text("-----BEGIN " + "RSA PRIVATE KEY-----\nx")
    (project / "big.bin").write_bytes(b"0" * (10 << 20) + b"1")
    (project / "skipped.log").write_text("x")
    (project / ".gitignore").write_text("*.log\n")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    found = capture(project)
    assert _left_out(found) == {".env": "secret", "id_ed25519": "secret", "notes.txt": "secret", "big.bin": "large"}
    unpack(found.content(), tmp_path / "again")
    assert sorted(p.name for p in (tmp_path / "again").rglob("*") if p.is_file()) == [
        ".gitignore",
        "data.csv",
        "train.py",
    ]


def test_git_tells_the_commit_and_the_uncommitted_changes_without_secrets(tmp_path: Path) -> None:
    project = _project(tmp_path / "one")
    (project / ".env").write_text("TOKEN=first")
    subprocess.run([*GIT, "init", "-q"], cwd=project, check=True)
    subprocess.run([*GIT, "add", "-A"], cwd=project, check=True)
    subprocess.run([*GIT, "commit", "-qm", "x"], cwd=project, check=True)
    clean = capture(project).snapshot
    assert clean.commit
    assert not clean.dirty
    (project / "train.py").write_text("x = 3\n")
    (project / ".env").write_text("TOKEN=second")
    changed = capture(project)
    assert changed.snapshot.dirty
    assert changed.snapshot.commit == clean.commit
    assert b"+x = 3" in changed.diff
    assert b"TOKEN" not in changed.diff


def test_the_environments_digest_is_steady() -> None:
    first = environment.environment_digest()
    environment.installed.cache_clear()
    assert environment.environment_digest() == first
    names = [package.name for package in environment.installed()]
    assert "numpy" in names
    assert "modelkeel" in names


def test_our_own_wheel_is_complete_and_steady() -> None:
    own = next(package for package in environment.installed() if package.name == "modelkeel")
    name, first = wheels.wheel_of(own.name, own.version, own.folder, own.source, own.editable)
    _, second = wheels.wheel_of(own.name, own.version, own.folder, own.source, own.editable)
    assert name.endswith("-py3-none-any.whl")
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert "modelkeel/sdk/worker.py" in names
    assert not [name for name in names if name.startswith("modelkeel/web/static/")]


def test_an_installed_package_is_packed_again_and_installs(tmp_path: Path) -> None:
    package = next(package for package in environment.installed() if package.name == "msgspec")
    filename, content = wheels.wheel_of("msgspec", package.version, package.folder, None, False)
    wheel = tmp_path / filename
    wheel.write_bytes(content)
    target = tmp_path / "target"
    uv = environment.uv_command("pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel))
    subprocess.run(uv, check=True)
    assert (target / "msgspec" / "__init__.py").exists()
    assert list(target.glob("msgspec/_core*.so"))


def test_the_machine_is_described() -> None:
    found = machine.machine()
    assert found["cores"] == os.cpu_count()
    assert found["processor"]
