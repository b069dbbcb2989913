"""The Merkle tree of RFC 6962, section 2.1 (the same in RFC 9162): roots, proofs, and the checks of proofs.

A *node* `(level, index)` is the hash of the complete subtree over the leaves `[index·2^level, (index+1)·2^level)`.
`Frontier.append` gives each such node once, when its last leaf arrives, and no stored node ever changes. Every proof is
made from stored nodes alone: `inclusion_nodes` and `consistency_nodes` name them, so that one query fetches them all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from modelkeel.core.errors import Corrupt, InvalidInput

EMPTY_ROOT = sha256(b"").digest()

GetNode = Callable[[int, int], bytes]
Place = tuple[int, int]  # (level, index)
Range = tuple[int, int]  # leaves [low, high)


@dataclass(frozen=True, slots=True)
class Node:
    """The hash of one complete subtree."""

    level: int
    index: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: SHA-256(0x00 || data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: all that is needed to append a leaf and to know the root.

    Attributes:
        size: how many leaves the tree has.
    """

    __slots__ = ("_edge", "size")

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []  # one complete subtree for each 1 bit of `size`, the largest first

    def append(self, leaf: bytes) -> list[Node]:
        """Add one leaf hash.

        Returns:
            The complete subtrees that this leaf closed, the leaf itself (level 0) first.
        """
        level, index, current = 0, self.size, leaf
        closed = [Node(0, index, leaf)]
        while index & 1:
            current = node_hash(self._edge.pop(), current)
            level, index = level + 1, index >> 1
            closed.append(Node(level, index, current))
        self._edge.append(current)
        self.size += 1
        return closed

    def root(self) -> bytes:
        """The root hash of the tree so far."""
        return _fold(self._edge) if self._edge else EMPTY_ROOT

    def copy(self) -> "Frontier":
        """A frontier of its own with the same leaves."""
        other = Frontier()
        other.size, other._edge = self.size, self._edge.copy()
        return other

    def to_bytes(self) -> bytes:
        """The size (8 bytes, big-endian), then the hash of each complete subtree from left to right."""
        return self.size.to_bytes(8, "big") + b"".join(self._edge)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Read what `to_bytes` wrote.

        Raises:
            Corrupt: the length does not fit the size.
        """
        size = int.from_bytes(data[:8], "big")
        if len(data) != 8 + 32 * size.bit_count():
            raise Corrupt(f"A tree frontier of size {size} can't have {len(data)} bytes.", hint="Restore the database.")
        frontier = cls()
        frontier.size = size
        frontier._edge = [data[at : at + 32] for at in range(8, len(data), 32)]
        return frontier


def complete_subtrees(low: int, high: int) -> Iterator[Place]:
    """The fewest complete subtrees that cover the leaves `[low, high)`, from left to right."""
    while low < high:
        level = (high - low).bit_length() - 1
        if low:
            level = min(level, (low & -low).bit_length() - 1)
        yield level, low >> level
        low += 1 << level


def omitted_nodes(indices: Iterable[int], size: int) -> list[Place]:
    """The complete subtrees that cover every leaf *except* `indices`, from left to right.

    With the hashes of the leaves at `indices` these are just enough to rebuild the root: one joint inclusion proof for
    all of them (`omitted.bin` of a workspace export).

    Args:
        indices: the leaves that are shown, ascending.
        size: the size of the tree.

    Raises:
        InvalidInput: `indices` does not ascend, or goes beyond `size`.
    """
    places: list[Place] = []
    at = 0
    for index in indices:
        if not at <= index < size:
            raise InvalidInput(f"Leaf {index} is out of order or beyond the size {size}.", hint="Sort the indices.")
        places.extend(complete_subtrees(at, index))
        at = index + 1
    places.extend(complete_subtrees(at, size))
    return places


def inclusion_nodes(index: int, size: int) -> set[Place]:
    """The stored nodes that `inclusion_proof` asks for."""
    return {place for part in _inclusion_ranges(index, size) for place in complete_subtrees(*part)}


def consistency_nodes(old: int, new: int) -> set[Place]:
    """The stored nodes that `consistency_proof` asks for."""
    return {place for part in _consistency_ranges(old, new) for place in complete_subtrees(*part)}


def inclusion_proof(index: int, size: int, get: GetNode) -> list[bytes]:
    """The audit path of leaf `index` in the tree of the first `size` leaves (RFC 6962, 2.1.1), nearest sibling first.

    Args:
        index: the leaf.
        size: how many leaves the tree has.
        get: the stored hash of the complete subtree (level, index).

    Raises:
        InvalidInput: there is no such leaf in that tree.
    """
    return [_range_hash(part, get) for part in _inclusion_ranges(index, size)]


def consistency_proof(old: int, new: int, get: GetNode) -> list[bytes]:
    """The proof that the first `new` leaves begin with the first `old` leaves (RFC 6962, 2.1.2).

    It is empty when `old` is 0 or equals `new`: then nothing needs proving.

    Args:
        old: the earlier size.
        new: the later size.
        get: the stored hash of the complete subtree (level, index).

    Raises:
        InvalidInput: `old` is more than `new`, or negative.
    """
    return [_range_hash(part, get) for part in _consistency_ranges(old, new)]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that leaf hash `leaf` is at `index` of the tree `size`, `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, current = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            current = node_hash(sibling, current)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            current = node_hash(current, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and current == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree `new` begins with the tree `old` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not proof and old_root == (EMPTY_ROOT if old == 0 else new_root)
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            after = node_hash(after, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and before == old_root and after == new_root


def _split(count: int) -> int:
    """The largest power of two below `count` (RFC 6962 calls it k)."""
    return 1 << (count - 1).bit_length() - 1


def _inclusion_ranges(index: int, size: int) -> list[Range]:
    if not 0 <= index < size:
        raise InvalidInput(f"A log of size {size} has no entry {index}.", hint="Ask for an index below the size.")
    parts: list[Range] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            parts.append((middle, high))
            high = middle
        else:
            parts.append((low, middle))
            low = middle
    return parts[::-1]


def _consistency_ranges(old: int, new: int) -> list[Range]:
    if not 0 <= old <= new:
        raise InvalidInput(f"Size {old} does not come before size {new}.", hint="Give the smaller size first.")
    if old in (0, new):
        return []
    parts: list[Range] = []
    low, high = 0, new
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            parts.append((middle, high))
            high = middle
        else:
            parts.append((low, middle))
            low = middle
    if low:  # else the old tree is a complete subtree, and the verifier has its root already
        parts.append((low, high))
    return parts[::-1]


def _range_hash(part: Range, get: GetNode) -> bytes:
    return _fold([get(level, index) for level, index in complete_subtrees(*part)])


def _fold(subtrees: Sequence[bytes]) -> bytes:
    """The root over complete subtrees, the largest first: the ragged right edge is joined from the right."""
    current = subtrees[-1]
    for left in subtrees[-2::-1]:
        current = node_hash(left, current)
    return current
