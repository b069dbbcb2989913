"""`modelkeel apply`: brings the decisions of `modelkeel.toml` to the server."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console

from modelkeel.cli.output import print_json
from modelkeel.core.errors import InvalidInput, KeelError
from modelkeel.sdk.api import Api

SECTIONS = {
    "gates": "/api/v1/policies/{name}",
    "rollouts": "/api/v1/rollouts/policy/{name}",
    "monitors": "/api/v1/monitors/{name}",
    "triggers": "/api/v1/triggers/{name}",
}
WHOLE = {"prices": "/api/v1/prices"}
LEFT_TO_OTHERS = frozenset({"project", "pipelines", "data"})


def apply(file: Path = Path("modelkeel.toml"), *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Put the gates, rollouts, monitors, triggers and prices of a project file in force.

    The whole file is checked before anything changes. What is in force already stays, without a new ledger entry.
    Approvals are never in a file: people give them.

    Examples:
        modelkeel apply
        modelkeel apply examples/flights/modelkeel.toml

    Parameters
    ----------
    file
        The project file.
    json
        Print what was applied as JSON.
    """
    wanted = read(file)
    results = []
    with Api.from_environment() as api:
        for title, path, body in wanted:
            try:
                answer = api.put(path, body)
            except KeelError as error:
                raise type(error)(f"[{title}]: {error.message}", hint=error.hint) from error
            results.append({"section": title, "changed": _changed(answer), "answer": answer})
    if json:
        print_json(results)
        return
    console = Console()
    for result in results:
        word = {True: "[green]changed[/]  ", False: "[dim]unchanged[/]", None: "[green]applied[/]  "}[result["changed"]]
        digest = (result["answer"] or {}).get("digest", "")
        console.print(f"{word}  {result['section']}  [dim]{digest[:12]}[/]", highlight=False)
        if (result["answer"] or {}).get("secret"):
            hook, secret = f"{api.url}{result['answer']['hook']}", result["answer"]["secret"]
            console.print(
                f"           signed calls go to {hook}, with this secret, told once: {secret}",
                highlight=False,
                soft_wrap=True,
            )
        if (result["answer"] or {}).get("voided"):
            console.print(f"           {result['answer']['voided']} open promotions were voided", highlight=False)


def read(file: Path) -> list[tuple[str, str, Any]]:
    """What a project file asks for: the section's title, the address and the body of each.

    Raises:
        InvalidInput: it can't be read, or has a section that nobody knows.
    """
    try:
        content = tomllib.loads(file.read_text())
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {file}.", hint="Name the project file: modelkeel apply FILE.") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{file} is not TOML: {error}.") from None
    found: list[tuple[str, str, Any]] = []
    for section, body in content.items():
        if section in LEFT_TO_OTHERS:
            continue
        if section in WHOLE:
            found.append((section, WHOLE[section], body))
        elif section in SECTIONS and isinstance(body, dict):
            for name, table in body.items():
                if not isinstance(table, dict):
                    raise InvalidInput(f"[{section}] wants one table a name.", hint=f"Write [{section}.NAME].")
                found.append((f"{section}.{name}", SECTIONS[section].format(name=name), table))
        else:
            known = ", ".join(sorted([*SECTIONS, *WHOLE]))
            raise InvalidInput(f"{file} has an unknown section [{section}].", hint=f"Known are {known}.")
    _check(found)
    return found


def _check(wanted: list[tuple[str, str, Any]]) -> None:
    """Checks what has one type on both sides here, so that a mistake changes nothing at all."""
    from modelkeel.costs.models import Prices
    from modelkeel.governance.policy import parse
    from modelkeel.pipelines.triggers.models import SetTrigger, check_trigger
    from modelkeel.serving.models import RolloutPolicy

    for title, _, body in wanted:
        try:
            if title.startswith("gates."):
                parse(body)
            elif title.startswith("rollouts."):
                msgspec.convert(body, RolloutPolicy)
            elif title.startswith("triggers."):
                check_trigger(title.removeprefix("triggers."), msgspec.convert(body, SetTrigger))
            elif title == "prices":
                msgspec.convert(body, Prices)
        except (InvalidInput, msgspec.ValidationError) as error:
            message = error.message if isinstance(error, InvalidInput) else str(error)
            raise InvalidInput(f"[{title}]: {message}", hint=getattr(error, "hint", "")) from error


def _changed(answer: Any) -> bool | None:
    found = answer.get("changed") if isinstance(answer, dict) else None
    return found if isinstance(found, bool) else None
