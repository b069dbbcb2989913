"""The digest over a metric's points, the same wherever it is computed: in a seal, at a source, at a target."""

import hashlib
import math
import struct
from collections.abc import Iterable

LARGEST = 1.7976931348623157e308
_POINT = struct.Struct(">qqdB")
Point = tuple[int, int, float, int]
"""Step, timestamp in milliseconds, value, and 1 if it is NaN (then the value is 0)."""


class PointsDigest:
    """The SHA-256 over points that come in several parts, each as 25 big-endian bytes.

    They must come in order of (step, timestamp, value, NaN), each once.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.count = 0

    def add(self, points: Iterable[Point]) -> None:
        """Takes the next points."""
        for point in points:
            self._digest.update(_POINT.pack(*point))
            self.count += 1

    @property
    def value(self) -> str:
        """The digest over all that were taken."""
        return self._digest.hexdigest()


def digest_points(points: Iterable[Point]) -> tuple[int, str]:
    """How many points, and the digest over them."""
    whole = PointsDigest()
    whole.add(points)
    return whole.count, whole.value


def stored_point(step: int, time: int, value: float) -> Point:
    """A point as it is stored: infinities are the largest finite doubles, NaN is a flag."""
    if math.isnan(value):
        return step, time, 0.0, 1
    return step, time, min(max(value, -LARGEST), LARGEST) + 0.0, 0
