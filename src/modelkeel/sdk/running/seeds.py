"""Seeds of Python's, numpy's and torch's generators, set before each step from the run's seed and the step's name.

So a step draws the same numbers whether the steps before it ran or came from the cache.
"""

import hashlib
import random
import sys


def seed_of(seed: int, step: str) -> int:
    """A step's own seed, 32 bits: the first bytes of SHA-256 over the run's seed and the step's name."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}".encode()).digest()[:4], "big")


def set_seeds(value: int) -> None:
    """Sets every generator whose library is imported."""
    random.seed(value)
    for library in ("numpy", "torch"):
        seed_library(library, value)


def seed_library(name: str, value: int) -> None:
    """Sets one library's generator, if it is imported."""
    module = sys.modules.get(name)
    if module is None:
        return
    if name == "numpy":
        module.random.seed(value)
    elif hasattr(module, "manual_seed"):
        module.manual_seed(value)
