"""Checkpoint notes: a published vector, a golden file, and what must not pass."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from modelkeel.core.errors import Corrupt, InvalidInput
from modelkeel.ledger import notes

ORIGIN = "example.org/ledger"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NEXT_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
CHECKPOINT = notes.Checkpoint(ORIGIN, 17, bytes(range(100, 132)))
NOTE = notes.sign(CHECKPOINT, KEY, ORIGIN)


def test_the_published_example_of_signed_note() -> None:
    """The example of the package golang.org/x/mod/sumdb/note."""
    key = notes.parse_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    signed = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    assert key.key_id == signed[:4]
    key.key.verify(signed[4:], text.encode())
    assert notes.vkey(key.key, key.name) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_note_and_key_are_written_as_ever(golden: Path) -> None:
    assert NOTE.encode() == (golden / "checkpoint.note").read_bytes()
    assert notes.vkey(KEY, ORIGIN) == (golden / "checkpoint.vkey").read_text().strip()


def test_the_example_in_the_format_page_is_real() -> None:
    page = Path(__file__).parents[3] / "docs" / "formats" / "ledger.md"
    assert NOTE in page.read_text(encoding="utf-8")


def test_what_was_signed_is_read_again() -> None:
    assert notes.verify(NOTE, [notes.vkey(KEY, ORIGIN)]) == CHECKPOINT


def test_during_a_rotation_either_key_will_do() -> None:
    both = notes.add_signature(NOTE, NEXT_KEY, ORIGIN)
    for keys in ([KEY], [NEXT_KEY], [KEY, NEXT_KEY]):
        assert notes.verify(both, [notes.vkey(key, ORIGIN) for key in keys]) == CHECKPOINT
    assert [signature.name for signature in notes.parse(both)[1]] == [ORIGIN, ORIGIN]


def test_extension_lines_are_signed_and_kept() -> None:
    checkpoint = notes.Checkpoint(ORIGIN, 0, bytes(32), ("one", "two"))
    note = notes.sign(checkpoint, KEY, ORIGIN)
    assert notes.verify(note, [notes.vkey(KEY, ORIGIN)]) == checkpoint
    with pytest.raises(Corrupt):
        notes.verify(note.replace("two", "2wo"), [notes.vkey(KEY, ORIGIN)])


def test_a_known_key_with_a_wrong_signature_spoils_the_note() -> None:
    both = notes.add_signature(NOTE, NEXT_KEY, ORIGIN)
    lines = both.split("\n")
    ident = base64.b64decode(lines[-3].split(" ")[2])[:4]
    lines[-3] = f"— {ORIGIN} {base64.b64encode(ident + bytes(64)).decode()}"
    forged = "\n".join(lines)
    assert notes.verify(forged, [notes.vkey(NEXT_KEY, ORIGIN)]) == CHECKPOINT
    with pytest.raises(Corrupt, match="wrong"):
        notes.verify(forged, [notes.vkey(KEY, ORIGIN), notes.vkey(NEXT_KEY, ORIGIN)])


def test_an_unknown_signer_is_not_enough() -> None:
    with pytest.raises(Corrupt, match="not signed by any trusted key"):
        notes.verify(NOTE, [notes.vkey(NEXT_KEY, ORIGIN)])
    with pytest.raises(Corrupt, match="not signed by any trusted key"):
        notes.verify(NOTE, [notes.vkey(KEY, "example.org/other")])


@given(st.integers(0, len(NOTE.encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_passes(at: int, change: int) -> None:
    raw = bytearray(NOTE.encode())
    raw[at] ^= change
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(Corrupt):
        notes.verify(text, [notes.vkey(KEY, ORIGIN)])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_names_that_would_break_a_note_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        notes.sign(CHECKPOINT, KEY, name)
    with pytest.raises(InvalidInput):
        notes.vkey(KEY, name)


@pytest.mark.parametrize("text", ["", "a", "a+00000000+AQ==", notes.vkey(KEY, ORIGIN).replace("example", "sample")])
def test_malformed_keys_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        notes.parse_vkey(text)
