"""Calls back when a library is imported: at once if it is there already, else right after its import."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType


class _Loader(importlib.abc.Loader):
    def __init__(self, inner: importlib.abc.Loader, watcher: "ImportWatch", name: str) -> None:
        self._inner = inner
        self._watcher = watcher
        self._name = name

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        self._watcher.arrived(self._name)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


class ImportWatch(importlib.abc.MetaPathFinder):
    """Watches for some libraries between `start` and `stop`.

    Args:
        callbacks: a library's name → what to do once it is imported.
    """

    def __init__(self, callbacks: dict[str, Callable[[], None]]) -> None:
        self._callbacks = dict(callbacks)

    def start(self) -> None:
        """Calls back for what is imported already, and begins to watch for the rest."""
        sys.meta_path.insert(0, self)
        for name in [name for name in self._callbacks if name in sys.modules]:
            self.arrived(name)

    def stop(self) -> None:
        """Ends the watch."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def arrived(self, name: str) -> None:
        """Calls back for a library, once."""
        callback = self._callbacks.pop(name, None)
        if callback is not None:
            callback()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Finds a watched library as Python would, with a loader that tells of it."""
        if fullname not in self._callbacks:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self, fullname)
                return spec
        return None
