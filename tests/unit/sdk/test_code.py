"""The digest of a step's code follows helpers, and is blind to what changes nothing."""

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelkeel.sdk.code import reached_code

NAMES = itertools.count()
STEP = '''
"""A module."""
import {helpers}
from {helpers} import scale as renamed
import math

LIMIT = 3
UNUSED = 4


def step(x: int) -> float:
    """What it does."""
    return {helpers}.clean(x) + renamed(x) + LIMIT + math.pi


def other() -> int:
    return UNUSED
'''
HELPERS = """
FACTOR = 2


def clean(x):
    return inner(x)


def inner(x):
    # why
    return x + 1


def scale(x):
    return x * FACTOR


def never(x):
    return x
"""
Digests = Callable[[str, str], dict[str, str]]


@pytest.fixture
def digests(tmp_path: Path) -> Iterator[Digests]:
    """The digests of `step` in a fresh project with these two files, under names that do not tell them apart."""
    made: list[str] = []

    def write(step: str = STEP, helpers: str = HELPERS) -> dict[str, str]:
        number = next(NAMES)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "modelkeel.toml").touch()
        main, helper = f"flow{number}", f"helpers{number}"
        (folder / f"{main}.py").write_text(step.replace("{helpers}", helper))
        (folder / f"{helper}.py").write_text(helpers)
        sys.path.insert(0, str(folder))
        made.extend([main, helper, str(folder)])
        found = reached_code(importlib.import_module(main).step, folder)
        return {name.replace(str(number), ""): digest for name, digest in found.items()}

    yield write
    for name in made:
        sys.modules.pop(name, None)
        if name in sys.path:
            sys.path.remove(name)


def _values(found: dict[str, str], but: str = "flow.py:step") -> dict[str, str]:
    """Without the step itself, whose source names its helpers' module by number."""
    return {name: digest for name, digest in found.items() if name != but}


def test_everything_that_is_called_is_reached_and_nothing_else(digests: Digests) -> None:
    reached = set(digests(STEP, HELPERS))
    assert reached == {
        "flow.py:step",
        "flow.py:LIMIT",
        "helpers.py:clean",
        "helpers.py:inner",
        "helpers.py:scale",
        "helpers.py:FACTOR",
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# why", "# another reason"),
        ("return x + 1", "return (x +\n            1)"),
        ("def inner(x):", 'def inner(x):\n    """Explained."""'),
        ("    return x\n", "    return x + 7\n"),
    ],
)
def test_comments_layout_docstrings_and_unused_code_do_not_count(digests: Digests, before: str, after: str) -> None:
    assert before in HELPERS
    changed = HELPERS.replace(before, after)
    assert changed != HELPERS
    assert _values(digests(STEP, HELPERS)) == _values(digests(STEP, changed))


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("return x + 1", "return x + 2", "helpers.py:inner"),
        ("FACTOR = 2", "FACTOR = 3", "helpers.py:FACTOR"),
        ("return inner(x)", "return inner(x) + 0", "helpers.py:clean"),
    ],
)
def test_a_changed_helper_counts_and_is_named(digests: Digests, before: str, after: str, named: str) -> None:
    first, second = _values(digests(STEP, HELPERS)), _values(digests(STEP, HELPERS.replace(before, after)))
    assert [name for name in first if first[name] != second[name]] == [named]


def test_a_constant_of_the_same_file_counts(digests: Digests) -> None:
    first = digests(STEP, HELPERS)
    second = digests(STEP.replace("LIMIT = 3", "LIMIT = 5"), HELPERS)
    assert first["flow.py:LIMIT"] != second["flow.py:LIMIT"]


def test_setup_at_import_counts(digests: Digests) -> None:
    setup = HELPERS + "\nimport os\nos.environ['X'] = '1'\n"
    first, second = digests(STEP, setup), digests(STEP, setup.replace("'1'", "'2'"))
    assert first["helpers.py:(set-up)"] != second["helpers.py:(set-up)"]


def test_a_module_used_as_a_value_counts_whole(digests: Digests) -> None:
    step = STEP.replace("{helpers}.clean(x)", "len(dir({helpers}))")
    assert "helpers.py:never" in digests(step, HELPERS)


def test_imports_inside_the_function_are_followed(digests: Digests) -> None:
    step = "def step(x):\n    from {helpers} import never\n    return never(x)\n"
    assert set(digests(step, HELPERS)) == {"flow.py:step", "helpers.py:never"}


def test_classes_bring_their_bases(digests: Digests) -> None:
    step = "import {helpers}\n\nclass A({helpers}.B):\n    pass\n\ndef step():\n    return A()\n"
    helpers = "class B:\n    def f(self):\n        return g()\n\ndef g():\n    return 1\n"
    assert set(digests(step, helpers)) == {"flow.py:A", "flow.py:step", "helpers.py:B", "helpers.py:g"}


def test_our_decorators_options_do_not_count(digests: Digests) -> None:
    step = "import modelkeel as keel\n\n@keel.step{}\ndef step(x: int) -> int:\n    return x\n"
    assert digests(step.format(""), HELPERS) == digests(step.format("(cache=False)"), HELPERS)


def test_packages_with_relative_imports_are_followed(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (tmp_path / "modelkeel.toml").touch()
    (package / "__init__.py").write_text("")
    (package / "deep.py").write_text("def f():\n    return 1\n")
    (package / "main.py").write_text(
        "from . import deep\nfrom .deep import f as g\n\ndef step():\n    return deep.f() + g()\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        found = reached_code(importlib.import_module("pack.main").step, tmp_path)
    finally:
        sys.path.remove(str(tmp_path))
    assert set(found) == {"pack/main.py:step", "pack/deep.py:f"}


def test_code_without_a_file_is_read_from_memory() -> None:
    def made(text: str) -> dict[str, str]:
        space: dict[str, object] = {"K": 3}
        exec(compile(text, "<cell>", "exec"), space)
        return reached_code(space["step"])  # type: ignore[arg-type]

    first = made("def help(): return 1\ndef step(): return help() + K\n")
    assert set(first) == {"(memory):step", "(memory):help", "(memory):K"}
    assert first == made("def help(): return 1\ndef step(): return help() + K\n")
    assert first != made("def help(): return 2\ndef step(): return help() + K\n")
