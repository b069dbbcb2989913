"""A source file as definitions, imports and set-up, and syntax trees without what does not count."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from modelkeel.core.errors import InvalidInput

WHOLE = "*"
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Import:
    """Where an imported name comes from: a module, or a name in it."""

    module: str
    level: int
    name: str | None


@dataclass(slots=True)
class Module:
    """A parsed source file."""

    path: Path
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    setup: list[ast.stmt] = field(default_factory=list)
    stars: list[Import] = field(default_factory=list)


def parse(path: Path) -> Module:
    stat = path.stat()
    return _parse_cached(path, stat.st_mtime_ns, stat.st_size)


@cache
def _parse_cached(path: Path, _mtime: int, _size: int) -> Module:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        raise InvalidInput(f"{path} can't be read as Python: {error}.") from error
    module = Module(path)
    for node in tree.body:
        _sort_in(module, node)
    return module


def _sort_in(module: Module, node: ast.stmt) -> None:
    if isinstance(node, Definition):
        module.definitions.setdefault(node.name, []).append(node)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for name, found in imports_of(node):
            if name == WHOLE:
                module.stars.append(found)
            else:
                module.imports[name] = found
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        names = [n for target in _targets(node) for n in _bound(target)]
        for name in names:
            module.definitions.setdefault(name, []).append(node)
        if not names:
            module.setup.append(node)
    elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        _sort_block(module, node)


def _sort_block(module: Module, node: ast.stmt) -> None:
    """A block that only chooses between definitions or imports is looked through; any other is set-up."""
    inner: list[ast.stmt] | None = None
    if isinstance(node, ast.If) and _only_when_main_or_typing(node):
        inner = [*(node.body if not _is_main(node) else []), *node.orelse]
    elif isinstance(node, ast.If | ast.Try):
        arms = _arms(node)
        inner = arms if all(isinstance(each, Definition | ast.Import | ast.ImportFrom) for each in arms) else None
    if inner is None:
        module.setup.append(node)
    for each in inner or ():
        _sort_in(module, each)


def _arms(node: ast.If | ast.Try) -> list[ast.stmt]:
    if isinstance(node, ast.If):
        return [*node.body, *node.orelse]
    handled = [inner for handler in node.handlers for inner in handler.body]
    return [*node.body, *handled, *node.orelse, *node.finalbody]


def _is_main(node: ast.If) -> bool:
    return any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test))


def _only_when_main_or_typing(node: ast.If) -> bool:
    names = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
    return _is_main(node) or "TYPE_CHECKING" in names


def _targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _bound(target: ast.expr) -> Iterator[str]:
    """Names that a target binds; an attribute or an item of something binds none."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _bound(element)
    elif isinstance(target, ast.Starred):
        yield from _bound(target.value)


def imports_of(node: ast.AST) -> Iterator[tuple[str, Import]]:
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            for alias in each.names:
                if alias.asname:
                    yield alias.asname, Import(alias.name, 0, None)
                else:
                    yield alias.name.split(".")[0], Import(alias.name.split(".")[0], 0, None)
        elif isinstance(each, ast.ImportFrom):
            for alias in each.names:
                yield alias.asname or alias.name, Import(each.module or "", each.level, alias.name)


def chains(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """Every name that is read, with the attributes taken from it: `a.b.c` gives (a, b, c)."""
    inner: set[int] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and id(each) not in inner:
            chain, at = [each.attr], each.value
            while isinstance(at, ast.Attribute):
                inner.add(id(at))
                chain.insert(0, at.attr)
                at = at.value
            if isinstance(at, ast.Name):
                inner.add(id(at))
                yield (at.id, *chain)
        elif isinstance(each, ast.Name) and id(each) not in inner and isinstance(each.ctx, ast.Load):
            yield (each.id,)


class _Strip(ast.NodeTransformer):
    """Takes out docstrings, and our own decorators: their options do not change what a step computes."""

    def _body(self, node: Any) -> Any:
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:] or [ast.Pass()]
        node.decorator_list = [d for d in node.decorator_list if not _is_ours(d)]
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _body  # noqa: N815 - ast's names


def _is_ours(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        return target.value.id in {"keel", "modelkeel"} and target.attr in {"step", "pipeline"}
    return isinstance(target, ast.Name) and target.id in {"step", "pipeline"}


def normal(node: ast.stmt) -> str:
    return ast.dump(_Strip().visit(copy.deepcopy(node)), annotate_fields=False, include_attributes=False)
