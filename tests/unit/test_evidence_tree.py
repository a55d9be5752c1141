"""The Merkle tree against the recursive definitions of RFC 9162, written here again, and against published vectors."""

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.errors import ProofInvalid
from truetape.evidence import tree

# The leaves and roots of the test vectors of Certificate Transparency (merkletree tests; RFC 6962 and 9162 agree).
LEAVES = [bytes.fromhex(x) for x in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSION = (  # (leaf, size, path)
    (0, 1, ()),
    (0, 8, (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    )),
    (5, 8, (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    )),
    (2, 3, ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",)),
)  # fmt: skip
CONSISTENCY = (  # (first, second, proof)
    (1, 1, ()),
    (1, 8, (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    )),
    (6, 8, (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    )),
    (2, 5, (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    )),
)  # fmt: skip


def of(leaves: list[bytes]) -> tree.Nodes:
    nodes = tree.Nodes(io.BytesIO())
    for data in leaves:
        nodes.append(tree.leaf(data))
    return nodes


# -- RFC 9162 §2.1 as it is written ------------------------------------------------------------------------------


def mth(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def split(size: int) -> int:
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], known: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if known else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], known), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


# -- known answers -----------------------------------------------------------------------------------------------


def test_roots_of_the_published_vectors() -> None:
    assert of([]).root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert [of(LEAVES[: n + 1]).root().hex() for n in range(8)] == list(ROOTS)


@pytest.mark.parametrize(("index", "size", "expected"), INCLUSION)
def test_inclusion_of_the_published_vectors(index: int, size: int, expected: tuple[str, ...]) -> None:
    found = tree.inclusion(of(LEAVES), index, size)
    assert [one.hex() for one in found] == list(expected)
    assert tree.root_of_inclusion(tree.leaf(LEAVES[index]), index, size, found).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("first", "second", "expected"), CONSISTENCY)
def test_consistency_of_the_published_vectors(first: int, second: int, expected: tuple[str, ...]) -> None:
    found = tree.consistency(of(LEAVES), first, second)
    assert [one.hex() for one in found] == list(expected)
    roots = bytes.fromhex(ROOTS[first - 1]), bytes.fromhex(ROOTS[second - 1])
    assert tree.is_consistent(first, second, *roots, found)


# -- every small tree, and random ones ---------------------------------------------------------------------------


def test_every_tree_up_to_40_leaves_is_as_the_rfc_defines_it() -> None:
    leaves = [bytes([n]) * n for n in range(40)]
    nodes = of(leaves)
    for size in range(1, 41):
        root = mth(leaves[:size])
        assert nodes.root(size) == of(leaves[:size]).root() == root
        for index in range(size):
            found = tree.inclusion(nodes, index, size)
            assert found == path(index, leaves[:size])
            assert tree.root_of_inclusion(tree.leaf(leaves[index]), index, size, found) == root
        for first in range(1, size + 1):
            proof = tree.consistency(nodes, first, size)
            assert proof == subproof(first, leaves[:size], True)
            assert tree.is_consistent(first, size, mth(leaves[:first]), root, proof)


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=60), st.data())
def test_no_other_leaf_index_or_root_passes(leaves: list[bytes], data: st.DataObject) -> None:
    size, nodes = len(leaves), of(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = tree.inclusion(nodes, index, size)
    assert tree.root_of_inclusion(tree.leaf(leaves[index] + b"!"), index, size, proof) != nodes.root()
    if proof:
        at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
        changed = list(proof)
        changed[at] = bytes([changed[at][0] ^ (1 << bit % 8)]) + changed[at][1:]
        assert tree.root_of_inclusion(tree.leaf(leaves[index]), index, size, changed) != nodes.root()
        with pytest.raises(ProofInvalid):
            tree.root_of_inclusion(tree.leaf(leaves[index]), index, size, proof[:-1])
        with pytest.raises(ProofInvalid):
            tree.root_of_inclusion(tree.leaf(leaves[index]), index, size, [*proof, proof[0]])


@given(st.lists(st.binary(max_size=3), min_size=2, max_size=60), st.data())
def test_a_changed_past_is_not_consistent(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    first = data.draw(st.integers(1, size))
    changed = list(leaves)
    at = data.draw(st.integers(0, first - 1))
    changed[at] = leaves[at] + b"!"
    old, new = of(leaves[:first]), of(changed)
    for nodes in (of(leaves), new):
        assert not tree.is_consistent(first, size, old.root(), new.root(), tree.consistency(nodes, first, size))


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 90))
def test_a_file_is_taken_up_again_wherever_it_was_cut(size: int, kept: int, torn: int) -> None:
    leaves = [n.to_bytes(2, "big") for n in range(size)]
    file = io.BytesIO()
    nodes = tree.Nodes(file)
    for data in leaves:
        nodes.append(tree.leaf(data))
    file.truncate(max(0, len(file.getvalue()) - torn))
    again = tree.Nodes(file)
    assert size - torn // 32 - 2 <= again.size <= size
    again.cut(kept := min(kept, again.size))
    for data in leaves[kept:]:
        again.append(tree.leaf(data))
    assert (again.size, again.root()) == (size, mth(leaves) if size < 80 else of(leaves).root())
    assert file.getvalue() == of_bytes(leaves)


def of_bytes(leaves: list[bytes]) -> bytes:
    file = io.BytesIO()
    nodes = tree.Nodes(file)
    for data in leaves:
        nodes.append(tree.leaf(data))
    return file.getvalue()


def test_what_no_tree_has_is_refused() -> None:
    nodes = of(LEAVES)
    for call in (
        lambda: tree.inclusion(nodes, 8, 8),
        lambda: tree.inclusion(nodes, 0, 9),
        lambda: tree.consistency(nodes, 5, 3),
        lambda: tree.root_of_inclusion(b"", 3, 3, []),
        lambda: nodes.at(4, 0),
    ):
        with pytest.raises(ProofInvalid):
            call()
    assert not tree.is_consistent(3, 2, b"", b"", [])
    assert not tree.is_consistent(2, 3, b"", b"", [])
    assert tree.is_consistent(0, 3, tree.EMPTY_ROOT, b"any", [])
