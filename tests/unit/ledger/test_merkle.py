"""The tree against published vectors and against RFC 6962's own recursive definitions."""

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_consistency

from modelkeel.core.errors import Corrupt, InvalidInput
from modelkeel.ledger import merkle

# The leaves and roots of certificate-transparency's own tests (merkle_tree_test.cc).
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [f"leaf {number}".encode() for number in range(257)]


def mth(data: list[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    return _mth(tuple(data))


@cache
def _mth(data: tuple[bytes, ...]) -> bytes:
    """Word for word; kept, since the same ranges are asked for again and again."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    k = split(len(data))
    return sha256(b"\x01" + _mth(data[:k]) + _mth(data[k:])).digest()


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, data: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(data) == 1:
        return []
    k = split(len(data))
    if m < k:
        return [*path(m, data[:k]), mth(data[k:])]
    return [*path(m - k, data[k:]), mth(data[:k])]


def subproof(m: int, data: list[bytes], known: bool) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if m == len(data):
        return [] if known else [mth(data)]
    k = split(len(data))
    if m <= k:
        return [*subproof(m, data[:k], known), mth(data[k:])]
    return [*subproof(m - k, data[k:], False), mth(data[:k])]


class Tree:
    def __init__(self, leaves: list[bytes]) -> None:
        self.frontier = merkle.Frontier()
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.roots = [self.frontier.root()]
        for leaf in leaves:
            for node in self.frontier.append(merkle.leaf_hash(leaf)):
                assert (node.level, node.index) not in self.nodes
                self.nodes[node.level, node.index] = node.hash
            self.roots.append(self.frontier.root())
        self.asked: set[tuple[int, int]] = set()

    def get(self, level: int, index: int) -> bytes:
        self.asked.add((level, index))
        return self.nodes[level, index]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(LEAVES)


def test_roots_of_certificate_transparency() -> None:
    tree = Tree([bytes.fromhex(leaf) for leaf in CT_LEAVES])
    assert [root.hex() for root in tree.roots] == CT_ROOTS
    assert merkle.EMPTY_ROOT.hex() == CT_ROOTS[0]


def test_every_root_is_that_of_the_definition(tree: Tree) -> None:
    for size, root in enumerate(tree.roots):
        assert root == mth(LEAVES[:size])


def test_nodes_are_the_complete_subtrees_and_nothing_else(tree: Tree) -> None:
    for (level, index), node in tree.nodes.items():
        assert node == mth(LEAVES[index << level : (index + 1) << level])
    assert len(tree.nodes) == sum(len(LEAVES) >> level for level in range(9))


def test_every_inclusion_proof_up_to_256(tree: Tree) -> None:
    for size in range(1, 257):
        for index in range(size):
            tree.asked = set()
            proof = merkle.inclusion_proof(index, size, tree.get)
            assert proof == path(index, LEAVES[:size])
            assert tree.asked == merkle.inclusion_nodes(index, size)
            leaf, root = merkle.leaf_hash(LEAVES[index]), tree.roots[size]
            assert merkle.verify_inclusion(leaf, index, size, proof, root)
            assert not merkle.verify_inclusion(leaf, index, size, proof, tree.roots[size - 1])
            assert not merkle.verify_inclusion(leaf, index, size, [*proof, root], root)
            assert not proof or not merkle.verify_inclusion(leaf, index, size, proof[:-1], root)
            assert index + 1 == size or not merkle.verify_inclusion(leaf, index + 1, size, proof, root)


def test_every_consistency_proof_up_to_256(tree: Tree) -> None:
    for new in range(1, 257):
        for old in range(1, new + 1):
            tree.asked = set()
            proof = merkle.consistency_proof(old, new, tree.get)
            assert proof == subproof(old, LEAVES[:new], True)
            assert tree.asked == merkle.consistency_nodes(old, new)
            before, after = tree.roots[old], tree.roots[new]
            assert merkle.verify_consistency(old, new, before, after, proof)
            assert not merkle.verify_consistency(old, new, tree.roots[old - 1], after, proof)
            assert not merkle.verify_consistency(old, new, before, tree.roots[new + 1], proof)
            assert not merkle.verify_consistency(old, new, before, after, [*proof, before])
            assert not proof or not merkle.verify_consistency(old, new, before, after, proof[:-1])


def test_another_implementation_makes_the_same_tree_and_proofs(tree: Tree) -> None:
    other = InmemoryTree(algorithm="sha256")
    for leaf in LEAVES:
        other.append_entry(leaf)
    for size in range(1, 257):
        assert other.get_root(size) == tree.roots[size]
        for index in range(size):
            theirs = other.prove_inclusion(index + 1, size)
            assert theirs.path == [merkle.leaf_hash(LEAVES[index]), *merkle.inclusion_proof(index, size, tree.get)]
        for old in range(
            1, size + 1
        ):  # its consistency proofs name more nodes than the RFC's, so the verdicts are compared
            verify_consistency(tree.roots[old], tree.roots[size], other.prove_consistency(old, size))
            proof = merkle.consistency_proof(old, size, tree.get)
            assert merkle.verify_consistency(old, size, other.get_root(old), other.get_root(size), proof)


def test_nothing_to_prove_from_the_empty_tree(tree: Tree) -> None:
    assert merkle.consistency_proof(0, 9, tree.get) == []
    assert merkle.verify_consistency(0, 9, merkle.EMPTY_ROOT, tree.roots[9], [])
    assert not merkle.verify_consistency(0, 9, tree.roots[1], tree.roots[9], [])
    assert not merkle.verify_consistency(9, 8, tree.roots[9], tree.roots[8], [])


@given(st.integers(1, 64).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1), st.data())))
def test_a_flipped_bit_in_a_proof_fails(case: tuple[int, int, st.DataObject]) -> None:
    size, index, data = case
    tree = Tree(LEAVES[:size])
    proof = merkle.inclusion_proof(index, size, tree.get)
    if not proof:
        return
    at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    proof[at] = (int.from_bytes(proof[at], "big") ^ 1 << bit).to_bytes(32, "big")
    assert not merkle.verify_inclusion(merkle.leaf_hash(LEAVES[index]), index, size, proof, tree.roots[size])


@given(st.integers(0, 65).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, max(size - 1, 0))))))
def test_omitted_nodes_cover_exactly_the_other_leaves(case: tuple[int, set[int]]) -> None:
    size, shown = case[0], {index for index in case[1] if index < case[0]}
    places = merkle.omitted_nodes(sorted(shown), size)
    covered = [leaf for level, index in places for leaf in range(index << level, (index + 1) << level)]
    assert covered == [leaf for leaf in range(size) if leaf not in shown]
    assert set(places) <= Tree(LEAVES[:size]).nodes.keys()


@given(st.integers(0, 65))
def test_a_frontier_survives_being_stored(size: int) -> None:
    frontier = Tree(LEAVES[:size]).frontier
    again = merkle.Frontier.from_bytes(frontier.to_bytes())
    other = frontier.copy()
    assert again.size == size
    assert again.append(bytes(32)) == other.append(bytes(32))
    assert again.root() == other.root() != frontier.root() == mth(LEAVES[:size])


def test_what_cannot_be_is_refused(tree: Tree) -> None:
    with pytest.raises(Corrupt):
        merkle.Frontier.from_bytes(tree.frontier.to_bytes()[:-1])
    with pytest.raises(InvalidInput):
        merkle.inclusion_proof(5, 5, tree.get)
    with pytest.raises(InvalidInput):
        merkle.consistency_proof(6, 5, tree.get)
    with pytest.raises(InvalidInput):
        merkle.omitted_nodes([3, 3], 5)
