"""Requests made from the API's own description: none is answered by a 5xx, or by what the description does not say.

The gate runs a fixed set of them. `make fuzz` goes on for as long as it is told, with other ones each time.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.story import Story, start_story

SECONDS = int(os.environ.get("MODELKEEL_FUZZ_SECONDS", "0"))
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Each would take from the caller what the rest of the run needs.
LEFT_OUT = ("/api/v1/tokens/{token}", "/api/v1/users/{user}/disabled", "/api/v1/users/{user}/roles/{role}")
EXAMPLES = 5


@pytest.fixture
def story() -> Iterator[Story]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    told = start_story(home)
    yield told
    told.close()
    told.server.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.timeout(SECONDS + 300)
def test_the_api_answers_whatever_its_description_allows(story: Story, tmp_path: Path):
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{story.server.url}/api/v1/openapi"]
    command += ["-H", f"Authorization: Bearer {story.server.token}", "--checks", CHECKS, "--continue-on-failure"]
    command += ["--phases", "coverage,fuzzing", "--no-shrink", "--max-response-time", "20"]
    command += [word for path in LEFT_OUT for word in ("--exclude-path", path)]
    command += ["--max-time", str(SECONDS)] if SECONDS else ["--max-examples", str(EXAMPLES), "--seed", "1"]
    environment = {**os.environ, "NO_COLOR": "1", "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    log = (story.server.home / "server.log").read_text()
    assert "unexpected error" not in log, log[-20_000:]
    assert story.owner.get("/health").status_code == 200
