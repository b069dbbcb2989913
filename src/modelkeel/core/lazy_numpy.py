"""Numpy, loaded when it is first used: it takes 20 MB and a tenth of a second, and a server starts without it.

`from modelkeel.core import lazy_numpy as np` stands for `import numpy as np`, as `lazy_polars` does for polars.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import *  # noqa: F403 - for type checkers it is numpy itself
    from numpy import float64, int64
    from numpy.typing import NDArray

    Ints = NDArray[int64]
    Floats = NDArray[float64]
else:
    Ints = Floats = Any

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):  # the import system asks for some
            raise AttributeError(name)
        import numpy as np

        return getattr(np, name)
