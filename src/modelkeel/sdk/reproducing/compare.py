"""Compares a rerun with the run that it reruns: steps, what they logged, logged models, and what stands around them."""

from dataclasses import dataclass, field

import msgspec

from modelkeel.core.hashing import sha256
from modelkeel.sdk.api import Api
from modelkeel.sdk.reproducing import meaning
from modelkeel.wire.pipelines import PipelineRun, StepRun
from modelkeel.wire.reproductions import Difference, Reproduction

VOLATILE = ("run_id:", "model_id:", "model_uuid:", "utc_time_created:", "artifact_path:")
"""Lines of an `MLmodel` file that name the run or the moment."""


@dataclass(slots=True)
class _Found:
    differences: list[Difference] = field(default_factory=list)
    close: list[Difference] = field(default_factory=list)
    by_meaning: list[str] = field(default_factory=list)
    steps: int = 0
    models: int = 0
    files: int = 0
    metrics: int = 0


class _Model(msgspec.Struct):
    id: str
    files: dict[str, bytes]


def compare_runs(api: Api, was: PipelineRun, now: PipelineRun, tolerance: float) -> Reproduction:
    """The verdict on a rerun, with everything that differs in the order of the run.

    Args:
        api: the server that holds both.
        was: the run.
        now: its rerun.
        tolerance: relative, for numbers.
    """
    found = _Found()
    models = _models(api, was.run_id), _models(api, now.run_id)
    ids = {now.run_id: was.run_id} | {n.id: w.id for w, n in zip(*models, strict=False)}
    pure = [step for step in was.steps if step.key is not None and not step.name.endswith("(again)")]
    again = {step.name: step for step in now.steps}
    for step in pure:
        _compare_step(api, found, step, again.get(step.name), ids, tolerance)
    for number, model in enumerate(models[0]):
        other = models[1][number] if number < len(models[1]) else None
        _compare_model(found, number, model, other, ids, tolerance)
    verdict = "diverged" if found.differences else "equivalent" if found.close else "identical"
    return Reproduction(
        run_id=was.run_id,
        rerun_id=now.run_id,
        verdict=verdict,
        steps=found.steps,
        models=found.models,
        files=found.files,
        metrics=found.metrics,
        tolerance=tolerance,
        differences=[*found.differences, *found.close],
        by_meaning=found.by_meaning,
        causes=causes(api, was, now) if verdict != "identical" else [],
        not_compared=[step.name for step in was.steps if step.key is None],
    )


def causes(api: Api, was: PipelineRun, now: PipelineRun) -> list[Difference]:
    """What differs around two runs and may explain other results."""
    pairs: list[tuple[str, str, object, object]] = [
        ("code", "snapshot", was.code, now.code),
        ("python", "version", was.python, now.python),
    ]
    if _environment(was) != _environment(now):
        old, new = _packages(api, was), _packages(api, now)
        pairs += [("package", name, old.get(name, "none"), new.get(name, "none")) for name in sorted(old | new)]
    names = ("processor", "flags", "cores", "libc", "hash_seed", "locale", "variables", "thread_pools")
    pairs += [("machine", name, was.machine.get(name), now.machine.get(name)) for name in names]
    return [Difference(kind, name, _told(a), _told(b)) for kind, name, a, b in pairs if a != b]


def _compare_step(
    api: Api, found: _Found, was: StepRun, now: StepRun | None, ids: dict[str, str], tolerance: float
) -> None:
    found.steps += 1
    if now is None or was.output is None or now.output is None:
        found.differences.append(Difference("step", was.name, was.status, now.status if now else "missing"))
        return
    if was.output.digest != now.output.digest or was.output.kind != now.output.kind:
        told = Difference("step", was.name, _short(was.output.digest), _short(now.output.digest))
        if was.output.inline and was.output.inline.encode() == _renamed((now.output.inline or "").encode(), ids):
            found.by_meaning.append(f"step {was.name}: only ids of the run differ")
        else:
            _sort(found, meaning.compare_values(api, was.output, now.output, tolerance), told)
    for key, value in was.logged.metrics.items():
        found.metrics += 1
        other = now.logged.metrics.get(key)
        if other is None:
            found.differences.append(Difference("metric", key, repr(value), "missing"))
        else:
            _sort(found, meaning.compare(value, other, tolerance), Difference("metric", key, repr(value), repr(other)))


def _compare_model(
    found: _Found, number: int, was: _Model, now: _Model | None, ids: dict[str, str], tolerance: float
) -> None:
    found.models += 1
    if now is None:
        found.differences.append(Difference("model", f"model {number + 1}", was.id, "missing"))
        return
    for path in sorted(was.files.keys() | now.files.keys()):
        found.files += 1
        name = f"model {number + 1}: {path}"
        a, b = was.files.get(path), now.files.get(path)
        if a is None or b is None:
            found.differences.append(Difference("model", name, _held(a), _held(b)))
        elif path.endswith("MLmodel"):
            if _steady(a) != _steady(b):
                found.differences.append(Difference("model", name, _held(a), _held(b)))
        elif a == _renamed(b, ids):
            if a != b:
                found.by_meaning.append(f"{name}: only ids of the run differ")
        else:
            pickled = path.endswith((".pkl", ".pickle"))
            outcome = meaning.compare_pickles(a, b, tolerance) if pickled else meaning.OTHER
            _sort(found, outcome, Difference("model", name, _held(a), _held(b)))


def _sort(found: _Found, outcome: str, told: Difference) -> None:
    if outcome == meaning.OTHER:
        found.differences.append(told)
    elif outcome == meaning.CLOSE:
        found.close.append(told)
    elif told.was != told.now:
        found.by_meaning.append(f"{told.kind} {told.name}: other bytes, the same content")


def _models(api: Api, run_id: str) -> list[_Model]:
    """The logged models of a run with their files, in the order in which they were logged."""
    named = [item["model_id"] for item in api.get(f"/api/v1/runs/{run_id}")["model_outputs"]]
    made = sorted((api.get(f"/api/v1/logged-models/{one}")["created"], one) for one in named)
    return [_Model(one, _files(api, one)) for _, one in made]


def _files(api: Api, model_id: str, folder: str = "") -> dict[str, bytes]:
    base = f"/api/v1/logged-models/{model_id}/artifacts"
    found: dict[str, bytes] = {}
    for item in api.get(base, {"path": folder}):
        if item["is_dir"]:
            found |= _files(api, model_id, item["path"])
        else:
            found[item["path"]] = api.get_bytes(f"{base}/{item['path']}")
    return found


def _renamed(content: bytes, ids: dict[str, str]) -> bytes:
    """Content of the rerun with the ids of the first run and its models in place of its own."""
    for new, old in ids.items():
        content = content.replace(new.encode(), old.encode())
    return content


def _steady(description: bytes) -> list[str]:
    return [line for line in description.decode().splitlines() if not line.startswith(VOLATILE)]


def _environment(run: PipelineRun) -> str:
    return run.environment.digest if run.environment else ""


def _packages(api: Api, run: PipelineRun) -> dict[str, str]:
    """Versions by package, from the lock."""
    if run.environment is None or run.environment.lock is None:
        return {}
    lines = api.get_bytes(f"/api/v1/blobs/{run.environment.lock}").decode().splitlines()
    pins = [line.split()[0].partition("==") for line in lines if "==" in line and not line.startswith((" ", "#"))]
    return {name: version for name, _, version in pins}


def _held(content: bytes | None) -> str:
    return "missing" if content is None else f"{len(content)} bytes, {_short(sha256(content))}"


def _short(digest: str) -> str:
    return digest[:12]


def _told(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
