"""What an evaluation data set and its records are, and what a call may send of them."""

import hashlib
import json
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.tracking.rules import check_tag
from modelkeel.tracking.search import Grammar, Kind

USER_TAG = "mlflow.user"
LONGEST_NAME = 255
SOURCES = frozenset({"UNSPECIFIED", "TRACE", "HUMAN", "DOCUMENT", "CODE"})
EVALUATION_DATASETS = Grammar(
    kinds=frozenset({Kind.ATTRIBUTE, Kind.TAG}),
    text=frozenset({"name", "created_by", "last_updated_by"}),
    numeric=frozenset({"created_time", "last_update_time"}),
    lists=frozenset({"name"}),
    sortable=frozenset({"name", "created_time", "last_update_time"}),
)


class EvaluationDataset(msgspec.Struct, frozen=True):
    """Examples by which answers of a model or an agent are judged.

    Attributes:
        id: opaque.
        name: not unique.
        digest: of its records: 32 hexadecimal digits.
        created: ms since 1970.
        updated: ms since 1970.
        tags: by key.
        schema: JSON that names the fields of its records and their types.
        records: how many it has.
        created_by: as the client says.
        updated_by: as the client says.
        experiments: ids of those to which it belongs.
    """

    id: str
    name: str
    digest: str
    created: int
    updated: int
    tags: dict[str, str]
    schema: str | None
    records: int
    created_by: str | None
    updated_by: str | None
    experiments: list[str]


class EvaluationRecord(msgspec.Struct, frozen=True):
    """One example.

    Attributes:
        id: opaque.
        created: ms since 1970.
        updated: ms since 1970.
        content: its inputs, outputs, expectations, tags, source and who wrote it, those that it has.
    """

    id: str
    created: int
    updated: int
    content: dict[str, Any]

    @property
    def key(self) -> str:
        """What tells it from others of its data set: the SHA-256 of its inputs."""
        return input_key(self.content["inputs"])


def input_key(inputs: dict[str, Any]) -> str:
    """The SHA-256 of inputs, whatever the order of their fields."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def check_name(name: str) -> None:
    """Refuses a name that is empty or too long."""
    if not name.strip() or len(name) > LONGEST_NAME:
        raise InvalidInput(f"The name of an evaluation dataset has 1 to {LONGEST_NAME} characters.")


def read_tags(text: str) -> dict[str, str | None]:
    """Tags from the JSON object that a client sends as a string; null leaves a tag as it is."""
    found = _json(text, "tags")
    if not isinstance(found, dict):
        raise InvalidInput("'tags' is a JSON object of text.")
    tags = {key: None if value is None else str(value) for key, value in found.items()}
    for key, value in tags.items():
        check_tag(key, value or "", "tags")
    return tags


def read_records(text: str) -> list[dict[str, Any]]:
    """Records from the JSON list that a client sends as a string; each is what is given of one record.

    Raises:
        InvalidInput: says which record is wrong, and in what.
    """
    found = _json(text, "records")
    if not isinstance(found, list):
        raise InvalidInput("'records' is a JSON list of objects.")
    return [_record(given, f"records[{at}]") for at, given in enumerate(found)]


def _record(given: Any, at: str) -> dict[str, Any]:
    if not isinstance(given, dict) or not isinstance(given.get("inputs"), dict):
        raise InvalidInput(f"{at} is an object with an object 'inputs'.")
    for name in ("expectations", "tags"):
        if not isinstance(given.get(name), dict | None):
            raise InvalidInput(f"{at}.{name} is an object.")
    record = {name: given[name] for name in ("inputs", "outputs", "expectations", "tags") if name in given}
    if given.get("source"):
        record |= _source(given["source"], f"{at}.source")
    return record


def _source(given: Any, at: str) -> dict[str, Any]:
    if not isinstance(given, dict) or not isinstance(given.get("source_type"), str):
        raise InvalidInput(f"{at} is an object with a 'source_type'.")
    kind, data = given["source_type"].upper(), given.get("source_data") or {}
    if kind not in SOURCES:
        raise InvalidInput(f"Invalid dataset record source type: {kind}. Valid source types: {sorted(SOURCES)}")
    if not isinstance(data, dict):
        raise InvalidInput(f"{at}.source_data is an object.")
    told = data.get("trace_id" if kind == "TRACE" else "source_id")
    found = {"source": {"source_type": kind, "source_data": data}, "source_type": kind}
    return found if told is None else {**found, "source_id": str(told)}


def new_content(given: dict[str, Any]) -> dict[str, Any]:
    """The content of a record that is new."""
    content = {"outputs": {}, **given, "tags": given.get("tags") or {}}
    user = content["tags"].get(USER_TAG)
    return content if user is None else {**content, "created_by": user, "last_updated_by": user}


def merged(old: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The content of a record with what is given for the same inputs: outputs replaced, the rest added to."""
    content = dict(old)
    if "outputs" in given:
        content["outputs"] = given["outputs"]
    for name in ("expectations", "tags"):
        if given.get(name):
            content[name] = {**(old.get(name) or {}), **given[name]}
    user = (given.get("tags") or {}).get(USER_TAG)
    return content if user is None else {**content, "last_updated_by": user}


def schema_with(old: str | None, records: list[dict[str, Any]]) -> str:
    """The schema of a data set with the fields of further records; the first type seen of a field stays."""
    schema: dict[str, Any] = (
        json.loads(old) if old else {"inputs": {}, "outputs": {}, "expectations": {}, "version": "1.0"}
    )
    for record in records:
        for part in ("inputs", "outputs", "expectations"):
            values = record.get(part)
            if isinstance(values, dict) and isinstance(schema[part], dict):
                for key, value in values.items():
                    schema[part].setdefault(key, _kind(value))
            elif values is not None and not schema[part]:
                schema[part] = _kind(values)
    return json.dumps(schema)


_KINDS: list[tuple[type, str]] = [
    (bool, "boolean"),  # before int, of which it is one
    (int, "integer"),
    (float, "float"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
]


def _kind(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "null")


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InvalidInput(f"'{name}' is no valid JSON.", hint="NaN and Infinity are not JSON.") from None


def _no_number(text: str) -> Any:
    raise ValueError(text)
