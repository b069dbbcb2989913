"""One request to two servers, and their answers in a form that can be compared.

Ids are named by the order in which they appeared, times of the server are left out, lists without an order are sorted.
What differs on purpose stands in docs/reference/differences.md; each rule here that hides something names it.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

V2 = "/api/2.0/mlflow"
# The server's own clock, and addresses that hold ids of the server's own making.
_LEFT_OUT = frozenset(
    {
        "creation_time",
        "last_update_time",
        "creation_timestamp",
        "last_updated_timestamp",
        "creation_timestamp_ms",
        "last_updated_timestamp_ms",
        "artifact_location",
        "artifact_uri",
        "root_uri",
        "source",
        "run_link",
        "message",
        "user_id",
        "status_message",
        "workspace",  # we say that workspaces of MLflow's kind are off
    }
)
_IDS = frozenset({"experiment_id", "run_id", "run_uuid", "model_id", "source_run_id"})
_UNORDERED = frozenset({"tags", "params", "metrics", "aliases", "model_inputs", "dataset_inputs"})


@dataclass
class Side:
    """One server, and the names of its ids."""

    name: str
    url: str
    names: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def learn(self, name: str, identity: str) -> None:
        """Calls an id by a name on this side."""
        self.names[identity] = name
        self.ids[name] = identity

    def send(self, method: str, path: str, body: Any) -> httpx.Response:
        """A request in which names stand for ids: `<name>`."""
        text = json.dumps(body)
        for name, identity in self.ids.items():
            text = text.replace(f"<{name}>", identity)
            path = path.replace(f"<{name}>", identity)
        filled = json.loads(text)
        if method == "GET":
            return self.client.get(path, params=filled)
        return self.client.request(method, path, json=filled)


def plain(side: Side, answer: httpx.Response) -> Any:
    """What can be compared of an answer."""
    try:
        content = answer.json()
    except ValueError:
        content = answer.text[:200]
    if answer.is_error:
        if answer.status_code >= 500 and side.name == "stock":
            return 400, "INVALID_PARAMETER_VALUE"  # "Where stock answers 500 to a mistake"
        code = content.get("error_code") if isinstance(content, dict) else content
        return answer.status_code, code
    return answer.status_code, _plain(side, content, "")


def _plain(side: Side, value: Any, key: str) -> Any:
    if isinstance(value, dict):
        found = {k: _plain(side, v, k) for k, v in sorted(value.items()) if k not in _LEFT_OUT}
        return {k: v for k, v in found.items() if v not in ([], {}, "", None)}  # unset and empty are one on the wire
    if isinstance(value, list):
        items = [_plain(side, item, key) for item in value]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if key in _UNORDERED else items
    return side.names.get(value, value) if key in _IDS and isinstance(value, str) else value
