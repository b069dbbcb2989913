"""Paths from outside never lead out of their folder."""

import io
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeel.core.errors import InvalidInput
from modelkeel.core.paths import clean, resolve, unpack


@pytest.mark.parametrize("path", ["model.pkl", "model/MLmodel", "a b/c", "a%20b", "50%.txt", "ä/ö", "..hidden", "a..b"])
def test_paths_that_are_fine(path: str) -> None:
    assert clean(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/..",
        "a//b",
        "./a",
        "a\\b",
        "C:/x",
        "c:x",
        "a\x00b",
        "a\nb",
        "%2e%2e/x",
        "%252e%252e%252fx",
        "a%2fb",
        "a%2f..%2fb",
        "a%5cb",
        "%2fetc",
        "a%00",
        "x" * 1001,
    ],
)
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        clean(path)


def test_the_root_only_where_it_may_be_meant() -> None:
    assert clean("", empty=True) == ""
    assert clean("/", empty=True) == ""
    with pytest.raises(InvalidInput):
        clean("/")


@given(st.text(max_size=60))
def test_no_accepted_path_climbs_however_often_it_is_unquoted(text: str) -> None:
    try:
        path = clean(text)
    except InvalidInput:
        return
    for _ in range(4):
        assert not path.startswith("/")
        assert not {"..", ".", ""} & set(path.split("/"))
        assert "\\" not in path
        assert "\0" not in path
        path = unquote(path)


TRICKS = st.lists(
    st.sampled_from(
        ["..", ".", "/", "\\", "%2e", "%2E%2e", "%2f", "%252f", "a", "link", "C:", "~", "file:", "//", "\0", ";"]
    ),
    max_size=8,
).map("".join)


@given(TRICKS | st.text(max_size=40))
def test_a_resolved_path_is_inside(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir()
        (root / "link").symlink_to("/etc")
        try:
            found = resolve(root, text)
        except InvalidInput:
            return
        assert found.is_relative_to(root.resolve())
        assert found != root.resolve()


def test_links_that_stay_inside_are_followed_and_others_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (root / "inside").symlink_to(root / "deep")
    (root / "outside").symlink_to(tmp_path)
    assert resolve(root, "inside/x") == root / "deep" / "x"
    for name in ("outside", "outside/x", "inside/../../x"):
        with pytest.raises(InvalidInput):
            resolve(root, name)


def _tar(*members: tuple[str, bytes, bytes]) -> io.BytesIO:
    """A tar of (name, content or the link's target, type)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            held = content
            if kind in {tarfile.SYMTYPE, tarfile.LNKTYPE}:
                member.linkname, held = content.decode(), b""
            member.size = len(held)
            tar.addfile(member, io.BytesIO(held))
    buffer.seek(0)
    return buffer


FILE, LINK, HARD, PIPE, DEVICE, FOLDER = (
    tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE,
)  # fmt: skip


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", b"x", FILE)],
        [("/tmp/evil", b"x", FILE)],
        [("a/../../evil", b"x", FILE)],
        [("%2e%2e/evil", b"x", FILE)],
        [("a\\..\\evil", b"x", FILE)],
        [("link", b"..", LINK), ("link/evil", b"x", FILE)],
        [("link", b"/etc/passwd", LINK)],
        [("hard", b"../../etc/passwd", HARD)],
        [("pipe", b"", PIPE)],
        [("device", b"", DEVICE)],
        [("../folder", b"", FOLDER)],
        [("same", b"1", FILE), ("same", b"2", FILE)],
        [("large", b"x" * 2000, FILE)],
    ],
    ids=lambda members: members[-1][0],
)
def test_an_archive_with_a_trick_is_refused(tmp_path: Path, members: list[tuple[str, bytes, bytes]]) -> None:
    inside = tmp_path / "inside"
    with pytest.raises(InvalidInput):
        unpack(_tar(*members), inside, largest=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert not any(path.is_symlink() for path in inside.rglob("*"))


def test_a_plain_archive_is_laid_out(tmp_path: Path) -> None:
    unpack(_tar((".", b"", FOLDER), ("./a", b"1", FILE), ("b/c", b"2", FILE), ("d", b"", FOLDER)), tmp_path, largest=10)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["a", "b", "b/c", "d"]


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidInput):
        unpack(io.BytesIO(content), tmp_path, largest=10_000)


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="larger"):
        unpack(_tar(*((f"f{number}", b"", FILE) for number in range(5))), tmp_path, largest=10, members=4)
