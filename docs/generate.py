"""Writes `docs/reference/`: commands, HTTP routes, Python names, settings, entry types, errors, from what they are.

`make docs` writes the pages; a test compares them, so that none can be old. `differences.md` is written by hand.
"""

import importlib.util
import inspect
import io
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
NOTE = "<!-- Written by `make docs`; changes here are lost. -->\n"
WIDTH = 110


def pages() -> dict[str, str]:
    """Every generated page by file name."""
    written = {
        "commands.md": commands(),
        "http.md": http(),
        "python.md": python(),
        "settings.md": settings(),
        "ledger-types.md": ledger_types(),
        "errors.md": errors(),
        "roles.md": roles(),
        "not-served.md": not_served(),
    }
    return {name: f"{NOTE}\n{text.rstrip()}\n" for name, text in written.items()}


def commands() -> str:
    """What `--help` says of every command."""
    from modelkeel.cli.root import app

    parts = ["# Commands", "What `modelkeel COMMAND --help` prints. Every command that prints a result takes `--json`."]
    for path, summary in _walk_commands(app, ()):
        parts.append(f"## `modelkeel {' '.join(path)}`\n\n```text\n{summary.strip()}\n```")
    return "\n\n".join(parts)


def _walk_commands(root: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    group = root
    for word in path:
        group = group[word]
    for name in sorted(name for name in group if not name.startswith("-")):
        here, page = (*path, name), io.StringIO()
        root.help_print(list(here), console=Console(file=page, width=WIDTH, no_color=True, color_system=None))
        text = page.getvalue().replace(root.help_epilogue or "", "")
        yield here, "\n".join(line.rstrip() for line in text.splitlines())
        yield from _walk_commands(root, here)


def http() -> str:
    """Routes by tag, with what each writes into the ledger."""
    toolchain = _toolchain()
    schema = toolchain.describe()
    writes = _writes()
    groups: dict[str, list[str]] = {}
    for path, methods in sorted(schema["paths"].items()):
        for method, route in methods.items():
            kind = writes.get((path, method.upper()), "nothing" if method == "get" else "")
            asked, answer = _body(route), _answer(route)
            row = f"| `{method.upper()} {path}` | {route.get('summary', '')} | {asked} | {answer} | {kind} |"
            groups.setdefault((route.get("tags") or ["server"])[0], []).append(row)
    parts = [
        "# HTTP",
        (
            "The running server has the whole description, with every field, at `/api/v1/openapi` (OpenAPI 3.1). "
            "Errors are problem details (RFC 9457), see [errors](errors.md). *Writes* tells what a call leaves: a "
            "`record` is one ledger entry for each state change, a `measurement` none (it is sealed by digest later)."
        ),
    ]
    for tag, rows in sorted(groups.items()):
        head = "| route | what it does | body | answer | writes |\n|---|---|---|---|---|"
        parts.append("\n".join([f"## {tag}\n", head, *rows]))
    return "\n\n".join(parts)


def python() -> str:
    """Public names of the package."""
    import modelkeel

    parts = ["# Python", "`import modelkeel as keel`. Tracking inside is plain `mlflow`."]
    for name in sorted(modelkeel.__all__):
        thing = getattr(modelkeel, name)
        if isinstance(thing, str):
            continue
        parts.append(_described(f"keel.{name}", thing, 2))
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                found = value.__func__ if isinstance(value, classmethod | staticmethod) else value
                if not member.startswith("_") and inspect.isfunction(found):
                    parts.append(_described(f"keel.{name}.{member}", found, 3))
    return "\n\n".join(parts)


def _described(name: str, thing: Any, level: int) -> str:
    try:
        signature = f"{name}{inspect.signature(thing)}"
    except (TypeError, ValueError):
        signature = name
    heading = "#" * level
    return f"{heading} `{name}`\n\n```text\n{signature}\n```\n\n```text\n{inspect.getdoc(thing) or ''}\n```"


def settings() -> str:
    """The project file and the environment."""
    from modelkeel.costs.models import Prices
    from modelkeel.governance.policy import GatePolicy
    from modelkeel.monitoring.config import MonitorConfig
    from modelkeel.serving.models import RolloutPolicy

    sections = [
        ("[gates.MODEL]", GatePolicy),
        ("[rollouts.ENDPOINT]", RolloutPolicy),
        ("[monitors.ENDPOINT]", MonitorConfig),
        ("[prices]", Prices),
    ]
    parts = [
        "# Settings",
        "## Environment\n\n| variable | meaning |\n|---|---|\n"
        + "\n".join(f"| `{name}` | {meaning} |" for name, meaning in ENVIRONMENT.items()),
        "Options of the server: [`modelkeel up`](commands.md).",
        "## `modelkeel.toml`\n\n`modelkeel apply` puts these sections in force. Unknown keys are refused by name.",
    ]
    seen: set[type] = set()
    for title, struct in sections:
        parts.append(f"### `{title}`\n\n{_table(struct)}")
        parts += [_nested(inner) for inner in _structs_in(struct, seen)]
    return "\n\n".join(parts)


ENVIRONMENT = {
    "MODELKEEL_URL": "The server that commands and the SDK talk to; without it, the one of the home.",
    "MODELKEEL_TOKEN": "The token with which they do; without it, the owner's in the home.",
    "MODELKEEL_HOME": "The folder of an embedded server; `~/.modelkeel` by default.",
    "MODELKEEL_SKIP_UI": "Set while installing: do without the page.",
    "MODELKEEL_CAPTURE": "`0` keeps no code of plain `mlflow` scripts.",
    "MLFLOW_TRACKING_URI": "What an `mlflow` program needs to know: the server's address.",
    "MLFLOW_TRACKING_TOKEN": "A token, for `mlflow` programs (or `MLFLOW_TRACKING_USERNAME` and `…_PASSWORD`).",
}


def _nested(struct: type) -> str:
    return f"#### `{struct.__name__}`\n\n{_table(struct)}"


def _table(struct: type) -> str:
    meanings = _attributes(inspect.getdoc(struct) or "")
    summary = (inspect.getdoc(struct) or "").split("\n\nAttributes:")[0].replace("\n", " ")
    rows = []
    for one in msgspec.structs.fields(struct):
        default = "required" if one.required else f"`{_default(one)}`"
        rows.append(f"| `{one.encode_name}` | `{_type(one.type)}` | {default} | {meanings.get(one.name, '')} |")
    return "\n".join([f"{summary}\n", "| key | type | default | meaning |", "|---|---|---|---|", *rows])


def _default(one: msgspec.structs.FieldInfo) -> Any:
    value = one.default if one.default is not msgspec.NODEFAULT else one.default_factory()
    return msgspec.json.encode(value).decode()


def _structs_in(struct: type, seen: set[type]) -> Iterator[type]:
    for one in msgspec.structs.fields(struct):
        for found in _flat(one.type):
            if inspect.isclass(found) and issubclass(found, msgspec.Struct) and found not in seen:
                seen.add(found)
                yield found
                yield from _structs_in(found, seen)


def _flat(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in typing.get_args(annotation):
        yield from _flat(part)


def _type(annotation: Any) -> str:
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(parts[0])
    if origin is typing.Literal:
        return " \\| ".join(f'"{part}"' for part in parts)
    if origin in {typing.Union, types.UnionType}:
        return " \\| ".join(_type(part) for part in parts if part is not type(None))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(_type(part) for part in parts if part is not Ellipsis)}]"
    return getattr(annotation, "__name__", str(annotation))


def _attributes(doc: str) -> dict[str, str]:
    """Names and meanings of a Google-style `Attributes:` section."""
    found: dict[str, str] = {}
    name = ""
    for line in doc.partition("Attributes:\n")[2].splitlines():
        if line.startswith("    ") and not line.startswith("     "):
            name, _, found[name] = (part.strip() for part in line.partition(":"))
        elif line.startswith("     ") and name:
            found[name] += " " + line.strip()
        elif line.strip():
            break
    return found


def ledger_types() -> str:
    """Types of entries."""
    from modelkeel.ledger.types import TYPES

    rows = [f"| `{name}` | {version} |" for name, version in sorted(TYPES.items())]
    head = "| type | layout version |\n|---|---|"
    text = "Every state change is one entry of one of these types. How one is written: [formats](../formats/ledger.md)."
    return "\n".join(["# Entry types\n", f"{text}\n", head, *rows])


def errors() -> str:
    """Error codes."""
    from modelkeel.core import errors as module

    found = [thing for thing in vars(module).values() if inspect.isclass(thing) and issubclass(thing, module.KeelError)]
    rows = [
        f"| `{kind.code}` | {kind.status} | `{kind.__name__}` | {(inspect.getdoc(kind) or '').splitlines()[0]} |"
        for kind in sorted(found, key=lambda kind: (kind.status, kind.code))
    ]
    text = (
        "Under `/api/v1` an error is a problem (RFC 9457) with `title`, `status`, `detail`, `code`, `hint` (what to do "
        "next) and, for a refusal, `reasons`. Under the `mlflow` routes: `{error_code, message}` with the same codes."
    )
    return "\n".join(["# Errors\n", f"{text}\n", "| code | status | Python | meaning |", "|---|---|---|---|", *rows])


def roles() -> str:
    """Which role may do what."""
    from modelkeel.core.access import PERMISSIONS, Permission

    head = f"| permission | {' | '.join(PERMISSIONS)} |\n|---|{'---|' * len(PERMISSIONS)}"
    rows = [
        f"| `{permission}` | {' | '.join('yes' if permission in held else '' for held in PERMISSIONS.values())} |"
        for permission in Permission
    ]
    return "\n".join(["# Roles\n", "A role is held in a workspace.\n", head, *rows])


def not_served() -> str:
    """What of MLflow's protocol answers 501."""
    from modelkeel.protocols.mlflow.not_served import LEFT

    parts = [
        "# Not served",
        (
            "What of MLflow's protocol is left out on purpose. Its addresses, under `/api/2.0`, `/api/3.0` and the "
            "same of `/ajax-api`, answer 501 `NOT_IMPLEMENTED`. A test walks every endpoint that the client knows: "
            "each is served, or listed here (`tests/acceptance/test_not_served.py`). Other differences: "
            "[differences](differences.md)."
        ),
    ]
    rows = [f"| `{left.path.rstrip('$')}` | {left.what} | {left.instead} |" for left in LEFT]
    parts.append("\n".join(["| address | what | use instead |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _toolchain() -> Any:
    spec = importlib.util.spec_from_file_location("toolchain", ROOT / "ui" / "toolchain.py")
    if spec is None or spec.loader is None:
        raise ImportError("ui/toolchain.py is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _writes() -> dict[tuple[str, str], str]:
    """What each route writes, by its path as OpenAPI has it, and method."""
    import re
    import tempfile

    from modelkeel.app import Keel, Settings, create_app

    found: dict[tuple[str, str], str] = {}
    with tempfile.TemporaryDirectory() as folder:
        keel = Keel.open(Settings(Path(folder, "home")))
        try:
            for route in create_app(keel).routes:
                path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
                for handler in getattr(route, "route_handlers", ()):
                    for method in getattr(handler, "http_methods", ()):
                        if "writes" in handler.opt:
                            found[path, str(method)] = handler.opt["writes"]
        finally:
            keel.close()
    return found


def _body(route: dict[str, Any]) -> str:
    content = route.get("requestBody", {}).get("content", {})
    return ", ".join(_named(one.get("schema", {})) for one in content.values())


def _answer(route: dict[str, Any]) -> str:
    for status, answer in sorted(route.get("responses", {}).items()):
        if status.startswith("2"):
            return ", ".join(_named(one.get("schema", {})) for one in answer.get("content", {}).values())
    return ""


def _named(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2].rpartition('_')[2]}`"
    if schema.get("type") == "array":
        return f"list of {_named(schema.get('items', {}))}"
    if "oneOf" in schema:
        return " or ".join(_named(part) for part in schema["oneOf"] if part.get("type") != "null")
    return str(schema.get("type", "")) if isinstance(schema.get("type", ""), str) else ""


if __name__ == "__main__":
    for file, text in pages().items():
        REFERENCE.joinpath(file).write_text(text)
        sys.stdout.write(f"docs/reference/{file}\n")
