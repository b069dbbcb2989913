"""MLflow's filter and order grammar, parsed into conditions. Pure: what it means in SQL is `store`'s business.

`filter := condition (AND condition)*`; a condition is `identifier operator value`, `identifier [NOT] IN (value, …)` or
`identifier IS [NOT] NULL`. An identifier is `[entity.]key`, the key bare, in backticks or in quotes.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from modelkeel.core.errors import InvalidInput

CLAUSES = 50


class Kind(StrEnum):
    """What a condition is about."""

    ATTRIBUTE = "attribute"
    METRIC = "metric"
    PARAM = "parameter"
    TAG = "tag"
    DATASET = "dataset"
    METADATA = "request_metadata"
    FEEDBACK = "feedback"
    EXPECTATION = "expectation"
    SPAN = "span"


_ENTITIES = {
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), Kind.ATTRIBUTE),
    **dict.fromkeys(("metric", "metrics"), Kind.METRIC),
    **dict.fromkeys(("parameter", "parameters", "param", "params"), Kind.PARAM),
    **dict.fromkeys(("tag", "tags"), Kind.TAG),
    **dict.fromkeys(("dataset", "datasets"), Kind.DATASET),
}
_OF_TRACES = {
    "trace": Kind.ATTRIBUTE,
    **dict.fromkeys(("metadata", "request_metadata"), Kind.METADATA),
    "feedback": Kind.FEEDBACK,
    "expectation": Kind.EXPECTATION,
    "span": Kind.SPAN,
}
_JUDGED = frozenset({Kind.FEEDBACK, Kind.EXPECTATION})
_NUMERIC = frozenset({">", ">=", "!=", "=", "<", "<="})
_TEXT = frozenset({"!=", "=", "LIKE", "ILIKE"})
_LISTS = frozenset({"IN", "NOT IN"})
_NULLS = frozenset({"IS NULL", "IS NOT NULL"})
Value = str | float | int | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; `value` is a number, a text, a tuple of texts for IN, or None for IS NULL."""

    kind: Kind
    key: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key; a metric of a logged model may be one measured on a data set of that name and digest."""

    kind: Kind
    key: str
    ascending: bool
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True)
class Grammar:
    """Which conditions and sort keys a search allows.

    Attributes:
        kinds: entities that may be named.
        text: text attributes.
        numeric: numeric attributes.
        lists: attributes that allow IN.
        sortable: attributes that may be sorted by.
        sort_kinds: entities that may be sorted by.
        nulls: kinds that allow IS NULL.
        aliases: other names of attributes.
    """

    kinds: frozenset[Kind]
    text: frozenset[str]
    numeric: frozenset[str]
    lists: frozenset[str]
    sortable: frozenset[str]
    sort_kinds: frozenset[Kind] = frozenset({Kind.ATTRIBUTE})
    nulls: frozenset[Kind] = frozenset()
    aliases: dict[str, str] = field(default_factory=dict)


RUNS = Grammar(
    kinds=frozenset({Kind.ATTRIBUTE, Kind.METRIC, Kind.PARAM, Kind.TAG, Kind.DATASET}),
    text=frozenset({"run_id", "run_name", "status", "artifact_uri", "user_id", "experiment_id"}),
    numeric=frozenset({"start_time", "end_time"}),
    lists=frozenset({"run_id"}),
    sortable=frozenset(
        {"run_id", "run_name", "status", "start_time", "end_time", "artifact_uri", "user_id", "experiment_id"}
    ),
    sort_kinds=frozenset({Kind.ATTRIBUTE, Kind.METRIC, Kind.PARAM, Kind.TAG}),
    nulls=frozenset({Kind.TAG, Kind.PARAM}),
    aliases={
        "created": "start_time",
        "Created": "start_time",
        "run name": "run_name",
        "Run name": "run_name",
        "Run Name": "run_name",
    },
)
EXPERIMENTS = Grammar(
    kinds=frozenset({Kind.ATTRIBUTE, Kind.TAG}),
    text=frozenset({"name", "experiment_id"}),
    numeric=frozenset({"creation_time", "last_update_time"}),
    lists=frozenset({"experiment_id"}),
    sortable=frozenset({"name", "experiment_id", "creation_time", "last_update_time"}),
    nulls=frozenset({Kind.TAG}),
)
LOGGED_MODELS = Grammar(
    kinds=frozenset({Kind.ATTRIBUTE, Kind.TAG, Kind.PARAM, Kind.METRIC}),
    text=frozenset({"name", "model_id", "model_type", "status", "source_run_id"}),
    numeric=frozenset({"creation_timestamp", "last_updated_timestamp"}),
    lists=frozenset({"name", "model_id", "model_type", "status", "source_run_id"}),
    sortable=frozenset(
        {"name", "model_id", "model_type", "status", "source_run_id", "creation_timestamp", "last_updated_timestamp"}
    ),
    sort_kinds=frozenset({Kind.ATTRIBUTE, Kind.METRIC}),
    nulls=frozenset({Kind.TAG, Kind.PARAM}),
    aliases={"creation_time": "creation_timestamp", "last_updated_time": "last_updated_timestamp"},
)

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:''|\\'|[^'])*'|"(?:""|\\"|[^"])*")
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])
    | (?P<operator>>=|<=|!=|<>|==|=|>|<)
    | (?P<mark>[(),])
    | (?P<name>[^\s.'"`<>=!(),]+(?:\.(?:`[^`]*`|"[^"]*"|'[^']*'|[^\s'"`<>=!(),]+))?|`[^`]*`)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str

    def word(self) -> str:
        return self.text.upper() if self.kind == "name" else ""


def parse_filter(text: str | None, grammar: Grammar) -> list[Condition]:
    """The conditions of a filter, all of which must hold.

    Raises:
        InvalidInput: the filter does not follow the grammar.
    """
    tokens = _tokens(text or "")
    found: list[Condition] = []
    at = 0
    while at < len(tokens):
        if found:
            if tokens[at].word() != "AND":
                raise InvalidInput(
                    f"Invalid clause(s) in filter string: '{tokens[at].text}'", hint="Conditions are joined by AND."
                )
            at += 1
        condition, at = _condition(tokens, at, grammar)
        found.append(condition)
        check_clauses(len(found))
    return found


def check_clauses(count: int) -> None:
    """Refuses more conditions, or sort keys, than a database plans in reasonable time.

    Raises:
        InvalidInput: there are more than `CLAUSES`.
    """
    if count > CLAUSES:
        raise InvalidInput(f"A search has at most {CLAUSES} conditions and as many sort keys.")


def parse_order(clauses: list[str], grammar: Grammar) -> list[Order]:
    """The sort keys of an `order_by` list.

    Raises:
        InvalidInput: a clause does not follow the grammar, or names a key twice.
    """
    check_clauses(len(clauses))
    found: list[Order] = []
    for clause in clauses:
        words = _tokens(clause)
        direction = words[1].word() if len(words) == 2 else "ASC"
        if not words or len(words) > 2 or words[0].kind != "name":
            raise InvalidInput(f"Invalid order_by clause '{clause}'. Could not be parsed.")
        if direction not in {"ASC", "DESC"}:
            raise InvalidInput(f"Invalid ordering key in order_by clause '{clause}'.")
        kind, key = _identifier(words[0].text, grammar, grammar.sortable)
        if kind not in grammar.sort_kinds:
            raise InvalidInput(f"Invalid order_by entity: {kind} '{key}'")
        if any((o.kind, o.key) == (kind, key) for o in found):
            raise InvalidInput(f"`order_by` contains duplicate fields: {clauses}")
        found.append(Order(kind, key, direction == "ASC"))
    return found


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    rest = text.rstrip().rstrip(";").rstrip()
    while at < len(rest):
        match = _TOKEN.match(rest, at)
        if match is None or match.lastgroup is None:
            raise InvalidInput(f"Invalid clause(s) in filter string: '{rest[at : at + 60].strip()}'")
        found.append(_Token(match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


def _condition(tokens: list[_Token], at: int, grammar: Grammar) -> tuple[Condition, int]:
    if at >= len(tokens) or tokens[at].kind not in {"name", "text"}:
        found = tokens[at].text if at < len(tokens) else "the end"
        raise InvalidInput(f"Invalid comparison clause. Expected 'Identifier' found '{found}'")
    kind, key = _identifier(tokens[at].text, grammar, grammar.text | grammar.numeric)
    operator, at = _operator(tokens, at + 1)
    _check_operator(kind, key, operator, grammar)
    if operator in _NULLS:
        return Condition(kind, key, operator, None), at
    if operator in _LISTS:
        values, at = _values(tokens, at)
        return Condition(kind, key, operator, values), at
    if at >= len(tokens):
        raise InvalidInput("Invalid comparison clause. Expected 3 tokens found 2")
    return Condition(kind, key, operator, _value(kind, key, tokens[at], grammar)), at + 1


def _operator(tokens: list[_Token], at: int) -> tuple[str, int]:
    words = [token.word() for token in tokens[at : at + 3]]
    for length in (3, 2, 1):
        joined = " ".join(words[:length])
        if len(words) >= length and joined in _LISTS | _NULLS | {"LIKE", "ILIKE"}:
            return joined, at + length
    if at < len(tokens) and tokens[at].kind == "operator":
        return {"==": "=", "<>": "!="}.get(tokens[at].text, tokens[at].text), at + 1
    found = tokens[at].text if at < len(tokens) else "the end"
    raise InvalidInput(f"Invalid comparison clause. Expected comparison found '{found}'")


def _identifier(text: str, grammar: Grammar, attributes: frozenset[str]) -> tuple[Kind, str]:
    entity, dot, rest = text.partition(".")
    if not dot or text[0] in "`'\"":
        kind, key = Kind.ATTRIBUTE, _bare(text)
    else:
        found = _ENTITIES.get(entity)
        if found is None and Kind.METADATA in grammar.kinds:
            found = _OF_TRACES.get(entity)
        if found is None or found not in grammar.kinds:
            allowed = [str(kind) for kind in Kind if kind in grammar.kinds]
            raise InvalidInput(f"Invalid entity type '{entity}'. Valid values are {allowed}")
        kind, key = found, _bare(rest)
    key = grammar.aliases.get(key, key) if kind is Kind.ATTRIBUTE else key
    if kind is Kind.ATTRIBUTE and key not in attributes:
        raise InvalidInput(f"Invalid attribute key '{key}' specified. Valid keys are {sorted(attributes)}")
    if kind is Kind.SPAN and key not in {"name", "type", "status"}:
        raise InvalidInput(f"Invalid span attribute '{key}'. Supported attributes: name, status, type.")
    if kind is Kind.DATASET and key not in {"name", "digest", "context"}:
        raise InvalidInput(f"Invalid dataset key '{key}' specified. Valid keys are 'name', 'digest', 'context'")
    return kind, key


def _check_operator(kind: Kind, key: str, operator: str, grammar: Grammar) -> None:
    if kind is Kind.METRIC or (kind is Kind.ATTRIBUTE and key in grammar.numeric):
        allowed = _NUMERIC
    elif kind in _JUDGED:
        allowed = _NUMERIC | _TEXT
    elif kind in {Kind.DATASET, Kind.SPAN} or (kind is Kind.ATTRIBUTE and key in grammar.lists):
        allowed = _TEXT | _LISTS
    else:
        allowed = _TEXT
    if kind in grammar.nulls:
        allowed |= _NULLS
    if operator not in allowed:
        raise InvalidInput(f"Invalid comparator '{operator}' not one of {sorted(allowed)} for {kind} '{key}'")


def _value(kind: Kind, key: str, token: _Token, grammar: Grammar) -> Value:
    if kind is Kind.METRIC or (key in grammar.numeric and kind is Kind.ATTRIBUTE):
        if token.kind != "number":
            raise InvalidInput(f"Expected numeric value type for {kind} '{key}'. Found {token.text}")
        whole = kind is Kind.ATTRIBUTE and token.text.lstrip("+-").isdigit()
        return int(token.text) if whole else float(token.text)
    if kind in _JUDGED and token.kind == "number":
        return float(token.text)
    if token.kind != "text":
        raise InvalidInput(f"Expected a quoted string value for {kind} (e.g. 'my-value'). Got value {token.text}")
    return _bare(token.text)


def _values(tokens: list[_Token], at: int) -> tuple[tuple[str, ...], int]:
    values: list[str] = []
    expected = "("
    for end in range(at, len(tokens)):
        token = tokens[end]
        if expected == "value" and token.kind == "text":
            values.append(_bare(token.text))
            expected = ",)"
        elif token.kind == "mark" and token.text in expected:
            if token.text == ")":
                return tuple(values), end + 1
            expected = "value"
        else:
            break
    raise InvalidInput("While parsing a list in the query, expected a non-empty list of quoted strings in parentheses.")


def _bare(text: str) -> str:
    quote = text[:1]
    if len(text) >= 2 and quote in {"`", "'", '"'} and text.endswith(quote):
        inner = text[1:-1]
        return inner if quote == "`" else inner.replace(quote * 2, quote).replace("\\" + quote, quote)
    return text


class _Token64(msgspec.Struct):
    offset: int


def page_offset(token: str | None) -> int:
    """Where a page starts, by the token that the page before gave.

    Raises:
        InvalidInput: no token of ours.
    """
    if not token:
        return 0
    try:
        offset = msgspec.json.decode(base64.b64decode(token, validate=True), type=_Token64).offset
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidInput("Invalid page token, could not base64-decode") from None
    if offset < 0:
        raise InvalidInput("Invalid page token, its offset is negative")
    return offset


def page_token(offset: int) -> str:
    """The token of the page that starts at `offset`: base64 of `{"offset": n}`."""
    return base64.b64encode(b'{"offset": %d}' % offset).decode()
