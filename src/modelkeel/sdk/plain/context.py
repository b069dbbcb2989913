"""What `mlflow` asks when a run starts (entry point `mlflow.run_context_provider`).

Loaded with every `import mlflow`, so this module needs the standard library only. Whatever goes wrong here is the
script's luck: the run starts as it would have.
"""

import http.client
import json
import os
import secrets
import sys
from typing import Any
from urllib.parse import urlsplit

SWITCH = "MODELKEEL_CAPTURE"
ASK_SECONDS = 0.5
_TAG = "modelkeel.capture"
_OFF = {"0", "false", "no", "off"}
_known: dict[str, bool] = {}
_LOOK_UP = 8
"""So many callers up, `mlflow.start_run` is found; mlflow asks for other things than runs too."""


class KeelRunContext:
    """Starts a capture of the script's code where the run goes to a Modelkeel."""

    def in_context(self) -> bool:
        """Whether a run starts, at a server of ours, and nobody switched it off."""
        if os.environ.get(SWITCH, "").strip().lower() in _OFF or not _run_starts():
            return False
        if "modelkeel.sdk.running.run" in sys.modules:
            return False  # a pipeline, whose own capture says more
        return is_keel(_tracking_address())

    def tags(self) -> dict[str, str]:
        """The word by which the code will be handed in; the capture goes on in the background."""
        from modelkeel.sdk.plain.capturing import begin

        word = secrets.token_hex(16)
        return {_TAG: word} if begin(_tracking_address(), word) else {}


def _run_starts() -> bool:
    frame: Any = sys._getframe(1)
    for _ in range(_LOOK_UP):
        if frame is None:
            return False
        if frame.f_code.co_name == "start_run" and frame.f_globals.get("__name__") == "mlflow.tracking.fluent":
            return True
        frame = frame.f_back
    return False


def _tracking_address() -> str:
    return str(sys.modules["mlflow"].get_tracking_uri()).rstrip("/")


def is_keel(address: str) -> bool:
    """Whether a Modelkeel answers there; asked once for each address that answers.

    Args:
        address: the tracking URI, without a slash at its end.
    """
    if address not in _known:
        answer = _ask(address)
        if answer is None:
            return False
        _known[address] = answer
    return _known[address]


def _ask(address: str) -> bool | None:
    """None where nothing answers now."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return False
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/health")
        answer = connection.getresponse()
        told = json.loads(answer.read(10_000)) if answer.status == 200 else None
    except ValueError:
        return False
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return isinstance(told, dict) and {"status", "version", "entries"} <= told.keys()
