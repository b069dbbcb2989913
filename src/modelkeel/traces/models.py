"""Traces, spans and assessments, and the rules that they follow. Pure."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from modelkeel.core.errors import InvalidInput
from modelkeel.tracking.search import Grammar, Kind

LONGEST_ID = 100
LONGEST_KEY = 250
LONGEST_VALUE = 8000
LONGEST_PREVIEW = 10_000
MOST_PAIRS = 1000
MOST_SPANS = 10_000
MOST_AT_ONCE = 500
LARGEST_ASSESSMENT = 64 << 10
NAME_TAG = "mlflow.traceName"
PLACE_TAG = "mlflow.trace.spansLocation"
PLACE = "TRACKING_STORE"
RUN_KEY = "mlflow.sourceRun"


class State(StrEnum):
    """How far a trace is."""

    UNSET = "STATE_UNSPECIFIED"
    RUNNING = "IN_PROGRESS"
    OK = "OK"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace without its spans.

    Attributes:
        id: as the client chose it, unique in a workspace.
        experiment: below which it is.
        state: how far it is.
        request_time: its start, milliseconds since 1970.
        duration: milliseconds, once it ended.
        client_request: the caller's own id of the request.
        request_preview: the beginning of what was asked.
        response_preview: the beginning of what was answered.
        metadata: what does not change.
        tags: what may change.
        assessments: what was said of it, each as the protocol writes it.
    """

    id: str
    experiment: str
    state: State
    request_time: int
    duration: int | None = None
    client_request: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    assessments: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Span:
    """One span.

    Attributes:
        trace: id of its trace.
        id: 16 hexadecimal digits.
        root: whether it has no parent.
        name: what ran.
        type: such as LLM, TOOL or UNKNOWN.
        status: OK, ERROR or UNSET.
        start: nanoseconds since 1970.
        end: nanoseconds since 1970; 0 while it runs.
        content: all of it, as OTLP's JSON with snake case names and base64 bytes.
        request: what it was given, in short.
        response: what it gave, in short.
    """

    trace: str
    id: str
    root: bool
    name: str
    type: str
    status: str
    start: int
    end: int
    content: bytes
    request: str | None = None
    response: str | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What somebody, or a judge, says of a trace.

    Attributes:
        id: ours.
        kind: feedback, expectation or issue.
        name: of what is judged.
        content: as the protocol writes it.
    """

    id: str
    kind: str
    name: str
    content: dict[str, Any]

    @property
    def value(self) -> Any:
        """The value that was given."""
        if self.kind == "expectation":
            found = self.content["expectation"]
            if "serialized_value" in found:
                return found["serialized_value"].get("value")
            return found.get("value")
        return self.content.get(self.kind, {}).get("value")


TRACES = Grammar(
    kinds=frozenset({Kind.ATTRIBUTE, Kind.TAG, Kind.METADATA, Kind.FEEDBACK, Kind.EXPECTATION, Kind.SPAN}),
    text=frozenset({"request_id", "status", "client_request_id", "name", "run_id"}),
    numeric=frozenset({"timestamp_ms", "execution_time_ms", "end_time_ms"}),
    lists=frozenset({"name", "status", "request_id", "run_id", "client_request_id"}),
    sortable=frozenset(
        {"experiment_id", "timestamp_ms", "execution_time_ms", "end_time_ms", "status", "request_id", "name", "run_id"}
    ),
    nulls=frozenset({Kind.TAG, Kind.METADATA, Kind.FEEDBACK, Kind.EXPECTATION}),
    aliases={
        "timestamp": "timestamp_ms",
        "execution_time": "execution_time_ms",
        "end_time": "end_time_ms",
        "trace_id": "request_id",
        "id": "request_id",
    },
)


def check_trace(trace: Trace) -> None:
    """Refuses a trace that is larger than we keep, or has no id.

    Raises:
        InvalidInput: says which part.
    """
    check_id(trace.id)
    for name, pairs in (("trace_metadata", trace.metadata), ("tags", trace.tags)):
        if len(pairs) > MOST_PAIRS:
            raise InvalidInput(f"A trace has at most {MOST_PAIRS} {name}, got {len(pairs)}.")
        for key, value in pairs.items():
            check_pair(key, value)
    for text in (trace.request_preview, trace.response_preview, trace.client_request):
        if text is not None and len(text) > LONGEST_PREVIEW:
            raise InvalidInput(f"A preview has at most {LONGEST_PREVIEW} characters, got {len(text)}.")
        _check_text(text or "")


def check_id(identity: str) -> None:
    """Refuses what can't be the id of a trace.

    Raises:
        InvalidInput: it is empty, too long, or has a character that can't be printed.
    """
    if not identity or len(identity) > LONGEST_ID or not identity.isprintable() or "/" in identity:
        raise InvalidInput(f"A trace id has 1 to {LONGEST_ID} printable characters and no slash.")


def check_pair(key: str, value: str) -> None:
    """Refuses a tag, or metadata, that is too long.

    Raises:
        InvalidInput: says which.
    """
    if not key or len(key) > LONGEST_KEY:
        raise InvalidInput(f"A key of a trace's tags or metadata has 1 to {LONGEST_KEY} characters, got {len(key)}.")
    if len(value) > LONGEST_VALUE:
        raise InvalidInput(f"The value of '{key[:60]}' has {len(value)} characters, at most {LONGEST_VALUE} are kept.")
    _check_text(key)
    _check_text(value)


def check_assessment(content: dict[str, Any]) -> Assessment:
    """An assessment by what the protocol says, without id.

    Raises:
        InvalidInput: it has no name, not exactly one value, or is too large.
    """
    name = content.get("assessment_name")
    kinds = [kind for kind in ("feedback", "expectation", "issue") if isinstance(content.get(kind), dict)]
    if not isinstance(name, str) or not name or len(name) > LONGEST_KEY:
        raise InvalidInput(f"An assessment has an assessment_name of 1 to {LONGEST_KEY} characters.")
    if len(kinds) != 1:
        raise InvalidInput("An assessment has exactly one of feedback and expectation.")
    written = json.dumps(content)
    if len(written) > LARGEST_ASSESSMENT:
        raise InvalidInput(f"An assessment has at most {LARGEST_ASSESSMENT} bytes.")
    if "\\u0000" in written:
        raise InvalidInput("Texts have no zero characters.")
    source = content.get("source")
    if source is not None and not isinstance(source, dict):
        raise InvalidInput("The source of an assessment is an object with source_type and source_id.")
    metadata = content.get("metadata")
    if metadata is not None and not (isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())):
        raise InvalidInput("The metadata of an assessment is an object of texts.")
    serialized = (content.get("expectation") or {}).get("serialized_value")
    if serialized is not None and not isinstance(serialized, dict):
        raise InvalidInput("A serialized_value is an object with serialization_format and value.")
    return Assessment("", kinds[0], name, content)


def joined(old: Trace, new: Trace) -> Trace:
    """A trace of which parts came before, such as spans: what is told by name wins."""
    return Trace(
        id=old.id,
        experiment=old.experiment,
        state=new.state if new.state is not State.UNSET else old.state,
        request_time=new.request_time,
        duration=new.duration if new.duration is not None else old.duration,
        client_request=new.client_request or old.client_request,
        request_preview=new.request_preview or old.request_preview,
        response_preview=new.response_preview or old.response_preview,
        metadata=old.metadata | new.metadata,
        tags=old.tags | new.tags,
    )


def seen_by_spans(old: Trace | None, experiment: str, spans: list[Span]) -> Trace:
    """A trace of which only spans came, up to now: its root says how it went, its spans when."""
    start = min(span.start for span in spans) // 1_000_000
    ends = [span.end for span in spans if span.end]
    end = max(ends) // 1_000_000 if ends else None
    if old is not None:
        start = min(start, old.request_time)
        if old.duration is not None:
            end = max(end or 0, old.request_time + old.duration)
    root = next((span for span in spans if span.root), None)
    state = old.state if old else State.RUNNING
    tags = {PLACE_TAG: PLACE, **(old.tags if old else {})}
    if root is not None:
        tags = {NAME_TAG: root.name[:LONGEST_VALUE], **tags}
        state = State.ERROR if root.status == "ERROR" else State.OK if root.end else State.RUNNING
    return Trace(
        id=spans[0].trace,
        experiment=experiment,
        state=state,
        request_time=start,
        duration=None if end is None else max(end - start, 0),
        client_request=old.client_request if old else None,
        request_preview=(root.request if root else None) or (old.request_preview if old else None),
        response_preview=(root.response if root else None) or (old.response_preview if old else None),
        metadata=old.metadata if old else {},
        tags=tags,
    )


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise InvalidInput("Texts have no zero characters.")
