"""Polars, loaded when it is first used: it takes 35 MB and a tenth of a second, and many servers never need it.

`from modelkeel.core import lazy_polars as pl` stands for `import polars as pl`. Beside it stands
`from __future__ import annotations`, so that signatures which name its types do not load it either.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polars import *  # noqa: F403 - for type checkers it is polars itself
else:

    def __getattr__(name: str) -> Any:
        import polars as pl

        return getattr(pl, name)
