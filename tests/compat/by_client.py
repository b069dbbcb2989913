"""The unmodified client of two servers: one call to both, and what it gives in a form that can be compared.

Entities become their public attributes. Ids are named, times of the server and its addresses are left out; what hides a
listed difference (docs/reference/differences.md) names it.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException, RestException
from mlflow.store.entities import PagedList

_LEFT_OUT = frozenset(
    {
        "creation_time",
        "last_update_time",
        "creation_timestamp",
        "last_updated_timestamp",
        "artifact_location",
        "artifact_uri",
        "source",
        "workspace",  # "workspace in answers"
        "user_id",  # "empty user_id"
        "dict",
        "registry_uri",
    }
)
_UNORDERED = frozenset({"model_inputs", "model_outputs", "dataset_inputs", "aliases"})
Call = Callable[[MlflowClient, Callable[[str], str]], Any]


@dataclass
class Caller:
    """A client of one server, and the names of that server's ids."""

    name: str
    url: str
    ids: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    client: MlflowClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = MlflowClient(self.url)

    def learn(self, name: str, identity: str) -> None:
        """Calls an id by a name on this side."""
        self.ids[name] = identity
        self.names[identity] = name

    def id(self, name: str) -> str:
        """The id of a name; a name that is none stands for itself."""
        return self.ids.get(name, name)

    def fill(self, text: str) -> str:
        """A text in which `<name>` stands for an id."""
        return re.sub(r"<([^<>]+)>", lambda found: self.id(found[1]), text)

    def ask(self, call: Call) -> tuple[Any, Any]:
        """What a call gives, raw and to be compared; a mistake is its code."""
        try:
            raw = call(self.client, self.id)
        except RestException as problem:
            return problem, self._mistake(problem)
        except MlflowException as problem:
            if self.name == "stock" and "too many 500 error responses" in str(problem):
                return problem, ("refused", "INVALID_PARAMETER_VALUE")
            if "Max retries exceeded" in str(problem) or "Connection refused" in str(problem):
                raise  # the server is gone, which is no answer
            return problem, ("refused by the client itself", problem.error_code)
        return raw, self.plain(raw)

    def _mistake(self, problem: RestException) -> tuple[str, str]:
        code = problem.error_code
        if self.name == "stock" and code in {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"}:
            code = "INVALID_PARAMETER_VALUE"  # "a mistake that makes stock fail (500)"
        return "refused", code

    def plain(self, value: Any, key: str = "") -> Any:  # noqa: PLR0911 - one form for each kind of value
        """Numbers, texts, lists and dictionaries alone."""
        if isinstance(value, Enum) or value is None or isinstance(value, bool | int):
            return str(value)
        if isinstance(value, str):
            return self.names.get(value, value)
        if isinstance(value, float):
            return "NaN" if math.isnan(value) else value
        if isinstance(value, Mapping):
            return {str(k): self.plain(v, str(k)) for k, v in sorted(value.items()) if k not in _LEFT_OUT}
        if isinstance(value, FileInfo):
            return value.path, value.is_dir, value.file_size
        if isinstance(value, PagedList):
            return [self.plain(item) for item in value], "more" if value.token else "last"
        if isinstance(value, Iterable) and not hasattr(value, "_properties"):
            items = [self.plain(item) for item in value]
            return sorted(items, key=repr) if key in _UNORDERED else items
        return {k: self.plain(v, k) for k, v in sorted(dict(value).items()) if k not in _LEFT_OUT}
