"""What the API says of itself: the framework's description, with our errors in place of its own."""

from dataclasses import dataclass, fields
from typing import Any

import msgspec
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import OpenAPI

from modelkeel.http.problems import MEDIA_TYPE, Problem

_ERROR = {
    "description": "What went wrong, as problem details (RFC 9457)",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_ACCEPTED = {"bearer": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}}


class Description(OpenAPI):
    """The document. The framework tells of a 400 of its own form at each operation; ours have one form everywhere."""

    def to_schema(self) -> dict[str, Any]:
        """As plain values."""
        schema: dict[str, Any] = super().to_schema()
        for operations in schema["paths"].values():
            for operation in operations.values():
                responses = operation["responses"]
                responses.pop("400", None)
                responses["default"] = _ERROR
        _, parts = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {}).update(parts)
        components["securitySchemes"] = _ACCEPTED
        schema["security"] = [{name: []} for name in _ACCEPTED]
        return schema


@dataclass
class DescriptionConfig(OpenAPIConfig):
    """Makes such a document."""

    def to_openapi_schema(self) -> Description:
        """The document without its paths, which the framework adds."""
        made = super().to_openapi_schema()
        return Description(**{field.name: getattr(made, field.name) for field in fields(made)})
