"""How long few rows wait for more before they are sealed, so that a trickle does not make a segment a second."""

import time


class Pace:
    """A patience that doubles while passes stay small, and is short again after a large one or a pause.

    Args:
        least: seconds at first.
        most: seconds at the end.
        enough: what makes a pass a large one.
    """

    PAUSE = 60.0

    def __init__(self, least: float, most: float, enough: int) -> None:
        self._least = least
        self._most = most
        self._enough = enough
        self._wait = least
        self._last = 0.0

    @property
    def seconds(self) -> float:
        """The patience now."""
        return self._least if time.monotonic() - self._last > self.PAUSE else self._wait

    def passed(self, amount: int) -> None:
        """A pass sealed `amount`."""
        self._wait = self._least if amount >= self._enough else min(2 * self.seconds, self._most)
        self._last = time.monotonic()
