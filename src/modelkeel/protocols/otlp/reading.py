"""Requests of OTLP's HTTP form, as protobuf or JSON, into spans."""

import base64
import binascii
import json
import zlib
from collections.abc import Iterator
from typing import Any

from modelkeel.core.errors import InvalidInput
from modelkeel.traces.models import Span

LARGEST = 64 << 20
LARGEST_SPAN = 4 << 20
LONGEST_NAME = 1000
_PREVIEW = 1000
_STATUS = ("UNSET", "OK", "ERROR")
_INPUTS = ("mlflow.spanInputs", "input.value", "gen_ai.prompt")
_OUTPUTS = ("mlflow.spanOutputs", "output.value", "gen_ai.completion")


def unpack(body: bytes, encoding: str) -> bytes:
    """The body without its compression.

    Raises:
        InvalidInput: another compression than gzip or deflate, a broken one, or more than `LARGEST` bytes.
    """
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "deflate"}:
        raise InvalidInput(f"Bodies are compressed by gzip or deflate, got '{encoding[:40]}'.")
    stream = zlib.decompressobj(47 if encoding == "gzip" else 15)
    try:
        content = stream.decompress(body, LARGEST + 1)
    except zlib.error:
        raise InvalidInput(f"The body is not {encoding}.") from None
    if len(content) > LARGEST:
        raise InvalidInput(f"Requests must be at most {LARGEST} bytes when unpacked.")
    if not stream.eof:
        raise InvalidInput(f"The body is cut off: its {encoding} does not end.")
    return content


def spans(body: bytes, *, as_json: bool) -> list[Span]:
    """The spans of an `ExportTraceServiceRequest`.

    Raises:
        InvalidInput: it is none, or a span lacks an id or is too large.
    """
    # Imported only here: protobuf takes long to load, and few servers get traces.
    from google.protobuf.json_format import MessageToDict, ParseDict, ParseError  # type: ignore[import-untyped]
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    asked = ExportTraceServiceRequest()
    try:
        if as_json:
            ParseDict(_with_bytes(json.loads(body)), asked, ignore_unknown_fields=True)
        else:
            asked.ParseFromString(body)
    except (DecodeError, ParseError, ValueError, RecursionError):
        raise InvalidInput("The body is no ExportTraceServiceRequest of OpenTelemetry.") from None
    found = []
    for resource in asked.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                try:
                    found.append(_span(MessageToDict(span, preserving_proto_field_name=True), span))
                except (RecursionError, ValueError):
                    raise InvalidInput("A span's attributes are nested too deeply, or not texts.") from None
    return found


def _span(written: dict[str, Any], span: Any) -> Span:
    if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id):
        raise InvalidInput("A span has a trace_id of 16 bytes and a span_id of 8, not all zero.")
    if max(span.start_time_unix_nano, span.end_time_unix_nano) >= 1 << 63:
        raise InvalidInput("A span's times are nanoseconds since 1970.")
    content = json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode()
    if len(content) > LARGEST_SPAN:
        raise InvalidInput(f"A span has at most {LARGEST_SPAN} bytes.")
    if len(span.name) > LONGEST_NAME:
        raise InvalidInput(f"The name of a span has at most {LONGEST_NAME} characters.")
    attributes = {a["key"]: a.get("value", {}) for a in written.get("attributes", []) if "key" in a}
    code = span.status.code
    return Span(
        f"tr-{span.trace_id.hex()}",
        span.span_id.hex(),
        not span.parent_span_id,
        _clean(span.name),
        _clean(str(_plain(attributes.get("mlflow.spanType", {})) or "UNKNOWN")[:LONGEST_NAME]),
        _STATUS[code] if 0 <= code < len(_STATUS) else "UNSET",
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        content,
        _preview(attributes, _INPUTS),
        _preview(attributes, _OUTPUTS),
    )


def _preview(attributes: dict[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in attributes:
            value = _plain(attributes[name])
            return _clean((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_PREVIEW])
    return None


def _plain(value: dict[str, Any]) -> Any:
    """An AnyValue as plain JSON."""
    if "array_value" in value:
        return [_plain(v) for v in value["array_value"].get("values", [])]
    if "kvlist_value" in value:
        pairs = value["kvlist_value"].get("values", [])
        return {pair.get("key", ""): _plain(pair.get("value", {})) for pair in pairs}
    return next(iter(value.values()), None)


def _clean(text: str) -> str:
    return text.replace("\x00", "")


def _with_bytes(value: Any) -> Any:
    """OTLP's JSON as protobuf's: ids are hexadecimal there, base64 here."""
    for span in _spans_of(value):
        for holder in (span, *_objects(span.get("links"))):
            for name in ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"):
                if isinstance(holder.get(name), str):
                    try:
                        holder[name] = base64.b64encode(binascii.unhexlify(holder[name])).decode()
                    except (binascii.Error, ValueError):
                        raise InvalidInput(f"{name} is hexadecimal, got '{holder[name][:60]}'.") from None
    return value


def _spans_of(value: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(value, dict):
        raise InvalidInput("The body is no ExportTraceServiceRequest of OpenTelemetry.")
    for resource in _objects(value.get("resourceSpans") or value.get("resource_spans")):
        for scope in _objects(resource.get("scopeSpans") or resource.get("scope_spans")):
            yield from _objects(scope.get("spans"))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
