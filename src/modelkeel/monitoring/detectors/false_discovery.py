"""Which of many tests may be believed: the step-up procedure of Benjamini and Hochberg.

Benjamini and Hochberg, *Controlling the false discovery rate*, J. R. Stat. Soc. B 57 (1995). Valid for independent
and for positively dependent tests (Benjamini and Yekutieli, 2001).
"""

from collections.abc import Sequence

from modelkeel.core import lazy_numpy as np


def rejected(ps: Sequence[float], alpha: float) -> list[bool]:
    """For each probability, whether the difference is believed at false-discovery rate `alpha`."""
    if not ps:
        return []
    values = np.asarray(ps, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    passed = np.nonzero(values[order] <= alpha * np.arange(1, len(values) + 1) / len(values))[0]
    limit = values[order[passed[-1]]] if len(passed) else -1.0
    return [bool(v <= limit) for v in values]
