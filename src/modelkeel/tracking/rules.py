"""Limits and forms of keys and values, with MLflow's own wording where a client may match on it."""

import json
import math
import posixpath
import re
from collections.abc import Iterable, Sequence

from modelkeel.core.errors import InvalidInput
from modelkeel.tracking.models import Metric

KEY_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
EXPERIMENT_NAME_LENGTH = 500
EXPERIMENT_TAG_LENGTH = 20_000
BATCH_METRICS = 1000
BATCH_PARAMS = 100
BATCH_TAGS = 100
BATCH_TOTAL = 1000
BATCH_BYTES = 1_000_000
LARGEST = 1.7976931348623157e308
_INT64 = 2**63
_NAME = re.compile(r"[/\w.\- :]*")
_CHARACTERS = (
    "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and "
    "slashes (/)."
)
_MODEL_CHARACTERS = ("/", ":", ".", "%", '"', "'")
_DATASET_LIMITS = {"name": 500, "digest": 36, "source": 65_535, "schema": 1_048_575, "profile": 16_777_215}


def bad_value(path: str, value: object, why: str = "") -> InvalidInput:
    """`Invalid value … for parameter '…' supplied`, as MLflow says it."""
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)[:300]
    return InvalidInput(f"Invalid value {shown} for parameter '{path}' supplied{f': {why}' if why else '.'}")


def missing(path: str) -> InvalidInput:
    """A required parameter is absent."""
    return InvalidInput(
        f"Missing value for required parameter '{path}'. See the API docs for more information about request "
        "parameters."
    )


def check_length(what: str, value: str, limit: int) -> None:
    """Refuses text longer than `limit` characters."""
    if len(value) > limit:
        raise InvalidInput(f"'{what}' exceeds the maximum length of {limit} characters")


def check_name(name: str, path: str = "key") -> None:
    """The form of keys of metrics, params and tags: safe characters, and a path that stays what it is."""
    if not name:
        raise missing(path)
    if _NAME.fullmatch(name) is None:
        raise bad_value(path, name, _CHARACTERS)
    plain = posixpath.normpath(name)
    if plain != name or plain == "." or plain.startswith(("..", "/")):
        raise bad_value(
            path,
            name,
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as "
            f"such. This name would resolve to {plain!r}",
        )


def check_metrics(metrics: Sequence[Metric]) -> None:
    """Every point of a batch; a key that repeats is judged once."""
    judged: set[str] = set()
    for at, metric in enumerate(metrics):
        if metric.key not in judged:
            check_name(metric.key, f"metrics[{at}].name")
            check_length("Metric name", metric.key, KEY_LENGTH)
            judged.add(metric.key)
        if not (0 <= metric.timestamp < _INT64 and -_INT64 <= metric.step < _INT64):
            check_clock(metric.key, metric.value, metric.timestamp, metric.step, f"metrics[{at}]")


def check_clock(key: str, value: float, timestamp: int, step: int, path: str) -> None:
    """A point's time and step have 64 bits, the time no sign."""
    dot = f"{path}."
    if not 0 <= timestamp < _INT64:
        raise bad_value(
            f"{dot}timestamp",
            timestamp,
            f"metric '{key}' (value={value}). Timestamp must be a nonnegative long (64-bit integer) ",
        )
    if not -_INT64 <= step < _INT64:
        raise bad_value(
            f"{dot}step", step, f"metric '{key}' (value={value}). Step must be a valid long (64-bit integer)."
        )


def check_param(key: str, value: str, path: str = "") -> None:
    """One param's key and value."""
    check_name(key, f"{path}.key" if path else "key")
    check_length("Param key", key, KEY_LENGTH)
    check_length("Param value", value, PARAM_LENGTH)


def check_tag(key: str, value: str, path: str = "", limit: int = TAG_LENGTH) -> None:
    """One tag's key and value."""
    dot = f"{path}." if path else ""
    check_name(key, f"{dot}key")
    check_length(f"{dot}key", key, KEY_LENGTH)
    check_length(f"{dot}value", value, limit)


def check_lengths(pairs: dict[str, str], limit: int) -> None:
    """Keys and values of a thing that is being made."""
    for key, value in pairs.items():
        check_length("key", key, KEY_LENGTH)
        check_length("value", value, limit)


def check_batch(metrics: int, params: int, tags: int) -> None:
    """How much one log-batch may hold."""
    for what, limit, count in (
        ("metrics", BATCH_METRICS, metrics),
        ("params", BATCH_PARAMS, params),
        ("tags", BATCH_TAGS, tags),
        ("metrics, params, and tags", BATCH_TOTAL, metrics + params + tags),
    ):
        if count > limit:
            raise InvalidInput(
                f"A batch logging request can contain at most {limit} {what}. Got {count} {what}. Please split up "
                f"{what} across multiple requests and try again."
            )


def check_unique_params(keys: Iterable[str]) -> None:
    """A batch names each param once."""
    seen: set[str] = set()
    twice = [key for key in keys if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    if twice:
        raise InvalidInput(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request contains only one "
            "param value per param key."
        )


def check_experiment_name(name: str) -> None:
    """1 to 500 characters."""
    if not name:
        raise InvalidInput(f"Invalid experiment name: '{name}'")
    check_length("name", name, EXPERIMENT_NAME_LENGTH)


def check_model_name(name: str) -> None:
    """The name of a logged model."""
    if not name or any(c in name for c in _MODEL_CHARACTERS):
        raise InvalidInput(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string and cannot contain the "
            f"following characters: {_MODEL_CHARACTERS}"
        )


def check_dataset(values: dict[str, str], tags: Sequence[tuple[str, str]]) -> None:
    """A data set input's lengths."""
    for name, limit in _DATASET_LIMITS.items():
        check_length(name, values[name], limit)
    for key, value in tags:
        check_length("key", key, 255)
        check_length("value", value, 500)


def stored_value(value: float) -> tuple[float, int]:
    """A metric's value as a database can hold and index it, and 1 if it is NaN (then 0 stands for it)."""
    if -LARGEST <= value <= LARGEST:
        return value, 0
    if math.isnan(value):
        return 0.0, 1
    return math.copysign(LARGEST, value), 0
