"""The digest of a step's code and of the project code it calls, blind to comments, docstrings and layout.

From a function's definition it follows every name that the definition uses: to definitions and assignments of the
same module, and through imports into other modules of the project, transitively. Each definition reached is one
entry, `file:name` → digest of its normalised syntax tree, so that a changed entry can be named. Top-level statements
that are neither definitions nor imports (they set something up when the module is imported) count with the module.
What it can't see: code reached only through strings (`getattr`, `importlib`), and installed packages, which the
environment's digest covers.
"""

import ast
import builtins
import hashlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelkeel.sdk.code.memory import closure_digests, from_memory
from modelkeel.sdk.code.syntax import WHOLE, Import, Module, chains, imports_of, normal, parse
from modelkeel.sdk.project import is_project_code, project_root

_BUILTINS = frozenset(dir(builtins))


def reached_code(function: Callable[..., Any], root: Path | None = None) -> dict[str, str]:
    """Every definition of the project that `function` reaches, `file:name` → digest.

    Args:
        function: a plain function.
        root: the project's folder; paths are relative to it.

    Raises:
        InvalidInput: its source can't be read.
    """
    function = inspect.unwrap(function)
    source = inspect.getsourcefile(function)
    if source is None or not Path(source).is_file():
        return from_memory(function)
    path = Path(source).resolve()
    walk = _Walk(root or project_root(path))
    walk.reach(path, function.__qualname__.split(".")[0])
    found = dict(sorted(walk.found.items()))
    return found | closure_digests(function)


class _Walk:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: set[tuple[Path, str]] = set()
        self.found: dict[str, str] = {}

    def reach(self, path: Path, name: str) -> None:
        """Follows one name of a module; `*` is all of it."""
        if (path, name) in self._seen:
            return
        self._seen.add((path, name))
        module = parse(path)
        self._setup(path, module)
        if name == WHOLE:
            for each in [*module.definitions, *module.imports]:
                self.reach(path, each)
            return
        if name in module.definitions:
            nodes = module.definitions[name]
            self._note(path, name, nodes)
            self._follow(path, module, nodes)
        elif name in module.imports:
            self._import(path, module.imports[name], ())
        else:
            for star in module.stars:
                target = self._find(path, star)
                if target is not None and name in parse(target).definitions | parse(target).imports:
                    self.reach(target, name)

    def _setup(self, path: Path, module: Module) -> None:
        if (path, "") in self._seen:
            return
        self._seen.add((path, ""))
        if module.setup:
            self._note(path, "(set-up)", module.setup)
            self._follow(path, module, module.setup)

    def _note(self, path: Path, name: str, nodes: list[ast.stmt]) -> None:
        text = "\n".join(normal(node) for node in nodes)
        self.found[f"{_shown(path, self._root)}:{name}"] = hashlib.sha256(text.encode()).hexdigest()

    def _follow(self, path: Path, module: Module, nodes: list[ast.stmt]) -> None:
        for node in nodes:
            local = dict(imports_of(node))
            for chain in chains(node):
                head, rest = chain[0], chain[1:]
                if head in local:
                    self._import(path, local[head], rest)
                elif head in module.definitions:
                    self.reach(path, head)
                elif head in module.imports:
                    self._import(path, module.imports[head], rest)
                elif module.stars and head not in _BUILTINS:
                    self.reach(path, head)

    def _import(self, path: Path, found: Import, rest: tuple[str, ...]) -> None:
        target = self._find(path, found)
        if found.name is not None:
            inner = self._find(path, Import(f"{found.module}.{found.name}".strip("."), found.level, None))
            if inner is not None and (target is None or found.name not in parse(target).definitions):
                self._attribute(inner, rest)
            elif target is not None:
                self.reach(target, found.name)
            return
        for used in range(len(rest) + 1):  # a dotted import may lead through folders that are no packages
            target = self._find(path, Import(".".join([found.module, *rest[:used]]), found.level, None))
            if target is not None:
                self._attribute(target, rest[used:])
                return

    def _attribute(self, target: Path, rest: tuple[str, ...]) -> None:
        """`module.name` reaches that name; a module used in any other way is reached whole."""
        known = parse(target)
        if rest and (rest[0] in known.definitions or rest[0] in known.imports):
            self.reach(target, rest[0])
            return
        inner = target.parent / rest[0] if rest and target.name == "__init__.py" else None
        for candidate in (inner.with_suffix(".py"), inner / "__init__.py") if inner is not None else ():
            if candidate.is_file():
                self._attribute(candidate, rest[1:])
                return
        self.reach(target, WHOLE)

    def _find(self, path: Path, found: Import) -> Path | None:
        return locate(path, found.module, found.level, self._root)


def locate(path: Path, module: str, level: int, root: Path) -> Path | None:
    """The project's file of an imported module, or None if it is not the project's."""
    parts = module.split(".") if module else []
    folders = [path.parents[level - 1]] if level else _search_folders(path, root)
    for folder in folders:
        base = folder.joinpath(*parts)
        for candidate in (base.with_suffix(".py") if parts else base / "__init__.py", base / "__init__.py"):
            if candidate.is_file() and is_project_code(candidate.resolve()):
                return candidate.resolve()
    return None


def _search_folders(path: Path, root: Path) -> list[Path]:
    """Where an absolute import of the project may lie: beside the file, and on Python's search path."""
    entries = (Path(entry) if entry else Path.cwd() for entry in sys.path)
    return list(dict.fromkeys([path.parent, *(entry for entry in entries if is_project_code(entry)), root]))


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
