"""`modelkeel run`: a pipeline from the command line."""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from modelkeel.cli.output import print_json
from modelkeel.core.errors import InvalidInput, KeelError

if TYPE_CHECKING:
    from rich.console import Console

_FACTS = ("run_id", "steps", "cached_steps", "saved_seconds", "seconds", "url")


def run(
    target: str,
    *,
    param: Annotated[tuple[str, ...], Parameter(name=["--param", "-p"], negative="")] = (),
    seed: int = 0,
    cache: Annotated[bool, Parameter(negative="--no-cache")] = True,
    experiment: str | None = None,
    workers: int | None = None,
    resume: str | None = None,
    engine: str | None = None,
    home: Path | None = None,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Run a pipeline, steps from the cache where nothing they depend on changed.

    Examples:
        modelkeel run train.py:train -p lr=0.1
        modelkeel run train.py:train --no-cache --json
        modelkeel run train.py:train --engine ray
        modelkeel run train.py:train --resume 130ec441f6d04bb8dbfb5a45137ac833

    Parameters
    ----------
    target
        FILE.py:FUNCTION, a function decorated with @keel.pipeline.
    param
        NAME=VALUE, as often as needed; read as what the function's annotation says. What is not given comes from
        `[pipelines.NAME.params]` in modelkeel.toml, else from the function.
    seed
        Of Python's, numpy's and torch's generators.
    cache
        Whether steps may be taken from the cache.
    experiment
        Name of the MLflow experiment; the pipeline's name by default.
    workers
        How many items of a map run at once; the processors of this machine by default.
    resume
        An ended run: its parameters and the results of its finished steps are taken, the rest runs.
    engine
        Where steps run: `local`, `ray` (the cluster that RAY_ADDRESS names, or one started here), or ray://HOST:PORT.
    home
        The home of a server on this machine; MODELKEEL_URL, or ~/.modelkeel by default.
    json_output
        Print the result as JSON.
    """
    _fix_hash_seed()
    from rich.console import Console

    from modelkeel.cli.run_tree import shown
    from modelkeel.sdk.api import Api
    from modelkeel.sdk.launch import run as run_pipeline
    from modelkeel.sdk.project import load_target, params_of, project_root, split_target

    params = parse_params(param)
    api = Api.from_environment(home)
    if home is not None:
        os.environ |= {"MODELKEEL_URL": api.url, "MODELKEEL_TOKEN": api.token or ""}
    pipeline = load_target(target)
    console = Console(stderr=json_output)
    if resume is not None:
        before = api.get(f"/api/v1/pipelines/runs/{resume}", {"limit": 1})["params"]
    else:
        before = params_of(project_root(split_target(target)[0]), getattr(pipeline, "name", ""))
    params = before | params
    with shown(target, console) as (tell, hear), _failing(console, json_output):
        result = run_pipeline(
            pipeline,
            params,
            seed=seed,
            cache=cache,
            experiment=experiment,
            api=api,
            listener=tell,
            hear=hear,
            workers=workers,
            resume=resume,
            engine=engine,
        )
    if json_output:
        print_json({name: getattr(result, name) for name in _FACTS})
        return
    saved = f", {result.saved_seconds:.2f} s saved" if result.cached_steps else ""
    console.print(
        f"[bold]{result.steps} steps[/] in {result.seconds:.2f} s, {result.cached_steps} cached{saved}", highlight=False
    )
    console.print(f"run {result.run_id}  {result.url}", highlight=False, soft_wrap=True)


def _fix_hash_seed() -> None:
    """Starts this command anew with a fixed hash seed: Python takes it only before it starts."""
    if "PYTHONHASHSEED" not in os.environ:
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "modelkeel", *sys.argv[1:]])  # noqa: S606 - this very command


def parse_params(given: Sequence[str]) -> dict[str, Any]:
    """Parameters given as `NAME=VALUE`.

    Raises:
        InvalidInput: one has no equals sign, or no name.
    """
    found: dict[str, Any] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{item!r} sets no parameter.", hint="Write -p NAME=VALUE.")
        found[name] = value
    return found


@contextlib.contextmanager
def _failing(console: "Console", json_output: bool) -> "Iterator[None]":
    """Ends the command when the user's own code failed, with the traceback of that code alone."""
    from rich.text import Text

    try:
        yield
    except (KeelError, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the pipeline raises
        ours = Path(__file__).resolve().parents[1]
        frames = [one for one in traceback.extract_tb(error.__traceback__) if not _within(one.filename, ours)]
        lines = [*traceback.format_list(frames), *getattr(error, "__notes__", [])]
        console.print(Text("".join(lines).rstrip(), "dim"), soft_wrap=True)
        if json_output:
            print_json({"error": f"{type(error).__name__}: {error}"})
        console.print(Text(f"{type(error).__name__}: {error}", "bold red"), soft_wrap=True)
        sys.exit(1)


def _within(file: str, folder: Path) -> bool:
    return file.startswith("<frozen") or Path(file).is_relative_to(folder) or "/cyclopts/" in file
