"""The build hook: puts the built browser application into the wheel, and builds it for an editable install too."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Runs before hatchling collects the files of a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Builds the page unless a bundle of the same sources is there.

        A failing build ends with its own output as the last words: installers show those, and hide a traceback's sense.

        Raises:
            SystemExit: a step failed.
        """
        if self.target_name != "wheel":
            return
        toolchain = _toolchain(Path(self.root))
        if os.environ.get(toolchain.SKIP) == "1":
            self.app.display_warning(f"{toolchain.SKIP}=1: the page is left out.")
            return
        try:
            toolchain.build()
        except toolchain.UiBuildError as error:
            sys.exit(f"\nmodelkeel: {error}\n({toolchain.SKIP}=1 installs without the page.)")


def _toolchain(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("modelkeel_ui_toolchain", root / "ui" / "toolchain.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(root / "ui" / "toolchain.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
