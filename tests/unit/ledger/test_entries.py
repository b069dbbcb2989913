"""What an entry may hold, and the bytes it becomes."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeel.core.canonical import canonical
from modelkeel.core.errors import InvalidInput
from modelkeel.ledger.entries import Draft, seal
from modelkeel.ledger.types import TYPES

IDS = st.from_regex(r"[A-Za-z0-9._:@/+-]{0,20}", fullmatch=True)
KEYS = IDS.filter(bool)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | IDS
DATA = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda x: st.lists(x) | st.dictionaries(KEYS, x), max_leaves=8), max_size=5
)


def draft(**changes: Any) -> Draft:
    given: dict[str, Any] = {
        "type": "version.created",
        "workspace": "019a0000-0000-7000-8000-000000000001",
        "actor": "user:019a0000-0000-7000-8000-000000000002",
        "subject": {"model": "019a0000-0000-7000-8000-000000000003", "version": 4},
        "data": {"digest": "ab" * 32, "size": 2**60, "score": 0.25, "ok": True, "bad": float("nan"), "tags": ["a", 1]},
        "commits": {"name": "Zoë’s model", "source": ""},
    }
    return Draft(**(given | changes))


def test_an_entry_is_written_as_ever(golden: Path) -> None:
    salts = iter([bytes(range(32)), bytes(range(32, 64))])
    sealed = seal(draft(), time_ms=1_795_415_416_123, wseq=7, wprev="cd" * 32, new_salt=lambda: next(salts))
    assert sealed.bytes == (golden / "entry.json").read_bytes()
    assert sealed.salts == {
        "name": (bytes(range(32)).hex(), "Zoë’s model"),
        "source": (bytes(range(32, 64)).hex(), ""),
    }


def test_the_types_are_frozen(golden: Path) -> None:
    """A new type is added to the golden file by hand; none may go or change its meaning unseen."""
    frozen = json.loads((golden / "types.json").read_text())
    assert frozen == dict(sorted(TYPES.items()))


def test_texts_become_salted_commitments() -> None:
    sealed, again = (seal(draft(), time_ms=0, wseq=0, wprev="") for _ in range(2))
    entry = json.loads(sealed.bytes)
    for name, (salt, text) in sealed.salts.items():
        assert len(bytes.fromhex(salt)) == 32
        assert entry["commits"][name] == sha256(bytes.fromhex(salt) + text.encode()).hexdigest()
        assert salt != again.salts[name][0]
    assert "Zoë".encode() not in sealed.bytes


@given(DATA)
def test_the_bytes_are_canonical_json_on_one_line(data: dict[str, Any]) -> None:
    """The quick encoder and RFC 8785's reference must never differ."""
    leaf = seal(draft(data=data), time_ms=0, wseq=0, wprev="").bytes
    assert canonical({**json.loads(leaf), "data": data}) == leaf
    assert b"\n" not in leaf


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"data": {"a": {"b": ["fine", "two words"]}}}, "data.a.b[1]"),
        ({"data": {"a": "é"}}, "data.a"),
        ({"data": {"a": "line\n"}}, "data.a"),
        ({"data": {"a": "x" * 129}}, "data.a"),
        ({"data": {"a b": 1}}, "data"),
        ({"data": {"a": [0.5, {"b": "a b"}]}}, "data.a[1].b"),
        ({"data": {"a": b"bytes"}}, "data.a"),
        ({"subject": {"run": "my run"}}, "subject.run"),
        ({"subject": {"run": 1.5}}, "subject.run"),
        ({"subject": {"run": True}}, "subject.run"),
        ({"actor": "Ada Lovelace"}, "actor"),
        ({"actor": ""}, "actor"),
        ({"workspace": "my workspace"}, "workspace"),
        ({"commits": {"the name": "x"}}, "commits"),
        ({"type": "run.invented"}, "run.invented"),
    ],
)
def test_free_text_is_refused_and_the_key_named(changes: dict[str, Any], names: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        seal(draft(**changes), time_ms=0, wseq=0, wprev="")
    assert names in caught.value.message


@pytest.mark.parametrize(("wseq", "wprev"), [(0, "ab" * 32), (1, ""), (1, "AB" * 32), (-1, "")])
def test_a_link_must_fit_its_number(wseq: int, wprev: str) -> None:
    with pytest.raises(InvalidInput, match="wprev"):
        seal(draft(), time_ms=0, wseq=wseq, wprev=wprev)


def test_a_text_without_a_utf8_form_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Unicode"):
        seal(draft(commits={"name": "\ud800"}), time_ms=0, wseq=0, wprev="")


def test_the_longest_id_and_an_entry_of_the_installation_itself_pass() -> None:
    sealed = seal(draft(workspace="", data={"a": "x" * 128}), time_ms=0, wseq=0, wprev="")
    assert json.loads(sealed.bytes)["workspace"] == ""
