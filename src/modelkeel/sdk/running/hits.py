"""Which calls need not run: their results are in the cache, or in the run that this one resumes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from modelkeel.core.clock import now_ms
from modelkeel.sdk.api import Api
from modelkeel.sdk.running.calls import Call
from modelkeel.sdk.running.recorder import patiently
from modelkeel.wire.pipelines import CachedStep, Lookup

PATH = "/api/v1/pipelines/cache"
AT_ONCE = 1000


@dataclass(slots=True)
class Hits:
    """Results that somebody has paid for.

    Attributes:
        api: the server.
        use: whether results may come from the cache.
        known: results that the server told of, by key.
        resumed: results of the run that this one resumes, by the digest of the key's parts.
    """

    api: Api
    use: bool
    known: dict[str, CachedStep]
    resumed: dict[str, CachedStep] = field(default_factory=dict)

    def find(self, calls: Sequence[Call]) -> dict[int, CachedStep]:
        """Results by the index of the call; the server is asked once for all that is not known."""
        found = {call.index: hit for call in calls if (hit := self._resumed(call)) is not None}
        if not self.use:
            return found
        asked = [call.key for call in calls if call.key is not None and call.index not in found]
        self._ask([key for key in dict.fromkeys(asked) if key not in self.known])
        for call in calls:
            hit = self.known.get(call.key) if call.key is not None else None
            if hit is not None and call.index not in found and _is_fresh(call, hit):
                found[call.index] = hit
        return found

    def forget(self, hit: CachedStep) -> None:
        """Its content is gone or damaged."""
        self.known.pop(hit.key, None)
        self.resumed.pop(hit.key, None)

    def _resumed(self, call: Call) -> CachedStep | None:
        return self.resumed.get(call.key or call.parts.digest()) if self.resumed else None

    def _ask(self, wanted: list[str]) -> None:
        for start in range(0, len(wanted), AT_ONCE):
            asked = Lookup(wanted[start : start + AT_ONCE])
            for hit in patiently(lambda asked=asked: self.api.post(PATH, asked, type=list[CachedStep])):  # type: ignore[misc]
                self.known[hit.key] = hit


def _is_fresh(call: Call, hit: CachedStep) -> bool:
    expires = call.step.options.expires
    return expires is None or now_ms() - hit.created <= expires * 1000
