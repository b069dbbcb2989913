"""A step that waits for a person."""

import inspect
import time
from typing import Any

import msgspec

from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Refused
from modelkeel.sdk.api import Api
from modelkeel.sdk.running.calls import Call, Calls
from modelkeel.sdk.running.executing import Tell
from modelkeel.sdk.running.options import Options
from modelkeel.sdk.running.recorder import patiently
from modelkeel.sdk.values import encode
from modelkeel.wire.pipelines import Approval, StepReport, StepRun
from modelkeel.wire.values import Value

ASK_SECONDS = 1.0


class Question:
    """The question as a step: it is known by what it asks and what it shows."""

    name = "approval"
    options = Options(cache=False)

    def __init__(self) -> None:
        self.function = _ask
        self.signature = inspect.signature(_ask)


def wait_for(api: Api, run_id: str, call: Call, asked: Approval, tell: Tell) -> Value:
    """Puts a question and waits for the answer, which is the result.

    Raises:
        Refused: somebody rejected it.
    """
    report = StepReport(
        index=call.index,
        name=call.name,
        status="waiting",
        parts=call.parts,
        inputs=call.inputs,
        started=now_ms(),
        approval=asked,
    )
    tell(report)
    tell.recorder.flush()
    begun = time.monotonic()
    while not (answer := _answer(api, run_id, call)).verdict:
        time.sleep(ASK_SECONDS)
    waited = round((time.monotonic() - begun) * 1e6)
    ended = msgspec.structs.replace(report, approval=None, wall_us=waited)
    told = f"{answer.by}: {answer.reason}".rstrip(": ")
    if answer.verdict == "rejected":
        tell(msgspec.structs.replace(ended, status="failed", error=f"Rejected by {told}"[:500]))
        raise Refused(f"{call.name} was rejected.", reasons=[told])
    value = encode(msgspec.to_builtins(answer)).value
    tell(msgspec.structs.replace(ended, status="finished", output=value))
    return value


def question_call(calls: Calls, question: str, show: Any) -> Call:
    """The call of a question."""
    return calls.make(Question(), (question, show), {})


def _ask(question: str, show: Any) -> None:
    """Stands for the question in records."""


def _answer(api: Api, run_id: str, call: Call) -> Approval:
    path = f"/api/v1/pipelines/runs/{run_id}/steps/{call.index}"
    step = patiently(lambda: api.get(path, type=StepRun))
    return step.approval or Approval("")
