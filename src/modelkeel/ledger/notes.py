"""Signed checkpoints: C2SP `signed-note` and `tlog-checkpoint`, with Ed25519 (signature type 0x01).

A note is a text, an empty line, and one signature line for each signer. A key's id is the first four bytes of
SHA-256(name || 0x0A || 0x01 || public key). While a key is being rotated a checkpoint bears both signatures.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from modelkeel.core.errors import Corrupt, InvalidInput

_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_HINT = "Fetch the checkpoint again; if it stays so, somebody or something has changed it."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to at one moment.

    Attributes:
        origin: the name of the log, unique in the world.
        size: number of entries.
        root: root hash of the tree over them.
        extensions: further lines, opaque to us, kept and signed as they are.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name."""

    name: str
    key: Ed25519PublicKey

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart (signed-note, "Signatures")."""
        return _key_id(self.name, self.key.public_bytes_raw())


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


def vkey(key: Ed25519PublicKey | Ed25519PrivateKey, name: str) -> str:
    """The text form of a public key: `name+hex key id+base64(0x01 || key)`."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    raw = public.public_bytes_raw()
    return f"{_named(name)}+{_key_id(name, raw).hex()}+{_b64(_ED25519 + raw)}"


def parse_vkey(text: str) -> VerifierKey:
    """Read a public key's text form.

    Raises:
        InvalidInput: it is malformed, its id does not fit, or it is not an Ed25519 key.
    """
    name, _, rest = text.strip().partition("+")
    ident, _, encoded = rest.partition("+")
    try:
        raw = _unb64(encoded)
    except Corrupt:
        raw = b""
    if len(raw) != 33 or raw[:1] != _ED25519 or _key_id(_named(name), raw[1:]).hex() != ident:
        raise InvalidInput("This is not a verifier key for Ed25519.", hint="It looks like name+1a2b3c4d+AQ….")
    return VerifierKey(name, Ed25519PublicKey.from_public_bytes(raw[1:]))


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey, name: str) -> str:
    """The checkpoint as a note with one signature.

    Raises:
        InvalidInput: the origin or the name can't stand in a note.
    """
    lines = [_named(checkpoint.origin), str(checkpoint.size), _b64(checkpoint.root), *checkpoint.extensions]
    if any(not line or not line.isprintable() for line in lines) or len(checkpoint.root) != 32:
        raise InvalidInput("The checkpoint can't be written as a note.", hint="Its lines must be plain and not empty.")
    text = "".join(f"{line}\n" for line in lines)
    return add_signature(f"{text}\n", key, name)


def add_signature(note: str, key: Ed25519PrivateKey, name: str) -> str:
    """The note with one more signature line, over the same text.

    Raises:
        InvalidInput: the name can't stand in a note.
        Corrupt: `note` has no signed part.
    """
    text, _ = _split(note)
    raw = key.public_key().public_bytes_raw()
    return f"{note}{_DASH}{_named(name)} {_b64(_key_id(name, raw) + key.sign(text.encode()))}\n"


def parse(note: str) -> tuple[Checkpoint, list[Signature]]:
    """Read a note *without* checking its signatures.

    Raises:
        Corrupt: it is not a checkpoint note.
    """
    text, signatures = _split(note)
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines) or not _SIZE.fullmatch(lines[1]):
        raise Corrupt("The note is not a checkpoint.", hint=_HINT)
    root = _unb64(lines[2])
    if len(root) != 32:
        raise Corrupt("The checkpoint's root is not a SHA-256 hash.", hint=_HINT)
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:])), [_signature(line) for line in signatures]


def verify(note: str, verifier_keys: Iterable[VerifierKey | str]) -> Checkpoint:
    """Read a note and check it: at least one of the keys has signed it, and no signature of theirs is wrong.

    Signatures by keys that are not given are passed over, as signed-note demands.

    Args:
        note: the whole text.
        verifier_keys: the keys that are trusted, parsed or in their text form.

    Raises:
        Corrupt: it is not a checkpoint note, a signature is wrong, or none is by a given key.
        InvalidInput: a verifier key is malformed.
    """
    checkpoint, signatures = parse(note)
    text, _ = _split(note)
    keys = [parse_vkey(key) if isinstance(key, str) else key for key in verifier_keys]
    known = {(key.name, key.key_id): key for key in keys}
    good = 0
    for signature in signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        try:
            key.key.verify(signature.signature, text.encode())
        except InvalidSignature as error:
            raise Corrupt(f"The checkpoint's signature by {signature.name} is wrong.", hint=_HINT) from error
        good += 1
    if not good:
        raise Corrupt("The checkpoint is not signed by any trusted key.", hint="Give the log's verifier key.")
    return checkpoint


def _split(note: str) -> tuple[str, list[str]]:
    """The signed text (with its last newline) and the signature lines."""
    text, gap, tail = note.rpartition("\n\n")
    if not gap or (tail and not tail.endswith("\n")):
        raise Corrupt("The note has no signed part.", hint=_HINT)
    return text + "\n", tail[:-1].split("\n") if tail else []


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _unb64(encoded)
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or len(raw) < 5:
        raise Corrupt("The note has a malformed signature line.", hint=_HINT)
    return Signature(name, raw[:4], raw[4:])


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} can't name a log or key.", hint="Use no spaces and no plus sign.")
    return name


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Corrupt("The note has malformed base64.", hint=_HINT) from error
    if _b64(data) != text:  # the last character may hide spare bits: only one spelling is allowed
        raise Corrupt("The note has malformed base64.", hint=_HINT)
    return data
