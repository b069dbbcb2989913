"""The guide for those who come from MLflow: its commands are run word for word."""

import os
import re
import subprocess
from pathlib import Path

from tests.conftest import Server

GUIDE = Path(__file__).parents[2] / "docs/guides/from-mlflow.md"


def test_the_guides_life_by_curl(server: Server, tmp_path: Path) -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    script = "set -euo pipefail\n" + "\n".join(blocks)
    environment = {"PATH": os.environ["PATH"], "MLFLOW_TRACKING_URI": server.url}
    done = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with server.client() as client:
        found = client.post("/api/2.0/mlflow/experiments/search", json={"filter": "name = 'by curl'"}).json()
        experiment = found["experiments"][0]["experiment_id"]
        run = client.post("/api/2.0/mlflow/runs/search", json={"experiment_ids": [experiment]}).json()["runs"][0]
    assert run["info"]["status"] == "FINISHED"
    assert run["data"]["metrics"][0] == {"key": "accuracy", "value": 0.93, "timestamp": 1700000000000, "step": 1}
    assert run["data"]["params"] == [{"key": "depth", "value": "5"}]
