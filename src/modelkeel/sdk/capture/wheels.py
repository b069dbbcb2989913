"""Wheels of packages that no index has, made from what is installed: no build step, no network, the same bytes.

An ordinary local package is packed again from its record of installed files. An editable one is packed from its
source: ours from the package's folder, any other by `uv build`.
"""

import base64
import hashlib
import io
import subprocess
import tempfile
import zipfile
from csv import reader
from pathlib import Path

from modelkeel.core.errors import Unavailable
from modelkeel.core.hashing import digest_of
from modelkeel.sdk.capture import cache
from modelkeel.sdk.capture.uv import uv_command

OWN = "modelkeel"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SKIPPED = ("RECORD", "direct_url.json", "INSTALLER", "REQUESTED")


def wheel_of(name: str, version: str, described: Path, source: Path | None, editable: bool) -> tuple[str, bytes]:
    """A wheel's file name and content.

    Raises:
        Unavailable: it can't be made.
    """
    if name == OWN:
        return _pack(name, version, described, _own_files(), pure=True)
    if editable and source is not None:
        return _built(name, version, source)
    return _pack(name, version, described, _recorded(described), pure=False)


def recorded_digest(described: Path) -> str:
    """The content of an installed local package, by the hashes in its record; where it came from does not count."""
    try:
        rows = list(reader((described / "RECORD").read_text().splitlines()))
    except OSError:
        return ""
    return digest_of(sorted(row[:2] for row in rows if row and not row[0].startswith(("..", described.name))))


def source_digest(source: Path) -> str:
    """By what a local package's source is known again: names, sizes and times of its files."""
    if source.is_file():
        stat = source.stat()
        return digest_of([source.name, stat.st_size, str(stat.st_mtime_ns)])
    marks = []
    for path in sorted(source.rglob("*")):
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in path.parts):
            stat = path.stat()
            marks.append([path.relative_to(source).as_posix(), stat.st_size, str(stat.st_mtime_ns)])
    return digest_of(marks)


def _own_files() -> dict[str, Path]:
    """Our own package: all of it but the page."""
    package = Path(__file__).resolve().parents[2]
    page = package / "web" / "static"
    return {
        path.relative_to(package.parent).as_posix(): path
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.is_relative_to(page)
    }


def _recorded(described: Path) -> dict[str, Path]:
    """The files of an installed package, by its record."""
    try:
        rows = list(reader((described / "RECORD").read_text().splitlines()))
    except OSError as error:
        raise Unavailable(f"{described.name} has no record of its files.") from error
    names = [row[0] for row in rows if row and not row[0].startswith("..") and "__pycache__" not in row[0]]
    found = {name: described.parent / name for name in names if not name.startswith(f"{described.name}/")}
    missing = [name for name, path in found.items() if not path.is_file()]
    if missing:
        raise Unavailable(f"{described.name} lacks its file {missing[0]}.")
    return found


def _pack(name: str, version: str, described: Path, files: dict[str, Path], *, pure: bool) -> tuple[str, bytes]:
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    tag = "py3-none-any" if pure else _tag(described)
    content = {place: path.read_bytes() for place, path in files.items()}
    for path in sorted(described.rglob("*")):
        if path.is_file() and path.name not in _SKIPPED and path.name != "WHEEL":
            content[f"{info}/{path.relative_to(described).as_posix()}"] = path.read_bytes()
    root = "true" if pure else _root_is_pure(described)
    wheel = f"Wheel-Version: 1.0\nGenerator: modelkeel\nRoot-Is-Purelib: {root}\nTag: {tag}\n"
    content[f"{info}/WHEEL"] = wheel.encode()
    lines = [f"{place},sha256={_hash(data)},{len(data)}" for place, data in sorted(content.items())]
    content[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for place in sorted(content):
            member = zipfile.ZipInfo(place, _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            archive.writestr(member, content[place])
    return f"{name.replace('-', '_')}-{version}-{tag}.whl", buffer.getvalue()


def _built(name: str, version: str, source: Path) -> tuple[str, bytes]:
    key = digest_of([name, version, source_digest(source)])
    kept = cache.read("wheels", f"{key}.whl")
    filename = cache.read_json("wheels", f"{key}.json")
    if kept is not None and filename is not None:
        return str(filename), kept
    with tempfile.TemporaryDirectory() as folder:
        command = uv_command("build", "-q", "--wheel", "--out-dir", folder, str(source))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = sorted(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not found:
            raise Unavailable(f"{name} could not be built as a wheel: {done.stderr[-300:]}")
        content = found[0].read_bytes()
        cache.write("wheels", f"{key}.whl", content)
        cache.write("wheels", f"{key}.json", f'"{found[0].name}"'.encode())
        return found[0].name, content


def _tag(described: Path) -> str:
    for line in _wheel_lines(described):
        if line.startswith("Tag:"):
            return line.partition(":")[2].strip()
    return "py3-none-any"


def _root_is_pure(described: Path) -> str:
    lines = [line for line in _wheel_lines(described) if line.startswith("Root-Is-Purelib:")]
    return lines[0].partition(":")[2].strip() if lines else "true"


def _wheel_lines(described: Path) -> list[str]:
    try:
        return (described / "WHEEL").read_text().splitlines()
    except OSError:
        return []


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
