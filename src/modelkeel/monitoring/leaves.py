"""Salted row hashes and the Merkle root over them: how a segment is sealed so that one row can be erased later.

Leaf 0 is the header, leaf `i + 1` is row `i`. A leaf is SHA-256(0x00 || MessagePack array). The header's array holds
the column names; a row's array holds the row's values in that order, the first of them a random salt of 16 bytes.
Integers are written in MessagePack's shortest form, floats as float64, missing values as nil. The tree is that of
RFC 6962, section 2.1. Whoever erases a row keeps its leaf and drops values and salt: the root stays, and tells nothing.
"""

from __future__ import annotations

import os
from hashlib import sha256

import msgspec

from modelkeel.core import lazy_polars as pl

SALT = "salt"
SALT_BYTES = 16


def salted(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a column of fresh random salts in front."""
    noise = os.urandom(SALT_BYTES * frame.height)
    salts = [noise[at : at + SALT_BYTES] for at in range(0, len(noise), SALT_BYTES)]
    return frame.select(pl.Series(SALT, salts, dtype=pl.Binary), pl.all())


def leaf_hashes(frame: pl.DataFrame) -> list[bytes]:
    """The leaves of a salted frame, header first."""
    encode = msgspec.msgpack.Encoder().encode
    leaves = [sha256(b"\x00" + encode(frame.columns)).digest()]
    for part in frame.iter_slices(4096):
        leaves += [sha256(b"\x00" + encode(row)).digest() for row in part.rows()]
    return leaves


def merkle_root(leaves: list[bytes]) -> str:
    """The RFC 6962 root over leaf hashes, as hex.

    Pairing level by level and lifting an odd last node unchanged gives the same tree as the recursive definition.
    """
    level = leaves
    while len(level) > 1:
        pairs = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            pairs.append(level[-1])
        level = pairs
    return level[0].hex()


def root_of(frame: pl.DataFrame) -> str:
    """The root of a salted frame."""
    return merkle_root(leaf_hashes(frame))
