"""Path traversal as it was published against MLflow and its kin: no spelling of a path leaves its root.

Many of these were incomplete fixes of the one before, so every spelling is tried at every address that takes a path.
"""

import itertools
import json
from typing import Any

import pytest

from tests.security.attack_kit import CANARY, PROXY, V2, Victim

UP = "../" * 12
# {file} is the canary's path without the leading slash.
SPELLINGS = {
    "CVE-2023-1177-plain": UP + "{file}",
    "CVE-2023-2356-below-an-owner": "{owned}/" + UP + "{file}",
    "CVE-2023-6015-absolute": "/{file}",
    "CVE-2023-6018-file-uri": "file:///{file}",
    "CVE-2023-2780-backslash": "\\..\\..\\..\\..\\..\\..\\{file}",
    "CVE-2023-2780-encoded-backslash": "%5c..%5c..%5c..%5c..%5c..%5c..%5c{file}",
    "CVE-2023-3765-drive": "C:/{file}",
    "CVE-2023-6753-drive-relative": "C:" + UP + "{file}",
    "CVE-2023-6831-encoded": "%2e%2e%2f" * 12 + "{file}",
    "CVE-2024-1560-doubly-encoded": "%252e%252e%252f" * 12 + "{file}",
    "CVE-2024-1560-thrice-encoded": "%25252e%25252e%25252f" * 12 + "{file}",
    "CVE-2024-1593-semicolon": "{owned}/;/" + UP + "{file}",
    "CVE-2024-1593-encoded-semicolon": "{owned}%3b/" + UP + "{file}",
    "CVE-2024-3848-fragment": "{owned}/%23/" + UP + "{file}",
    "CVE-2023-6909-query": "{owned}/%3f/" + UP + "{file}",
    "CVE-2023-6977-proc": "//proc/self/root/{file}",
    "CVE-2023-6977-encoded-proc": "%2f%2fproc%2fself%2froot%2f{file}",
    "CVE-2021-41773-half-encoded": ".%2e/" * 12 + "{file}",
    "CVE-2000-0884-overlong": "%c0%ae%c0%ae%c0%af" * 12 + "{file}",
    "nul": "{owned}/a.txt%00" + UP + "{file}",
    "encoded-nul": "%00" + UP + "{file}",
}
ADDRESSES = {
    "proxy": f"{PROXY}/{{path}}",
    "proxy-ajax": "/ajax-api/2.0/mlflow-artifacts/artifacts/{path}",
    "proxy-of-the-run": f"{PROXY}/{{owned}}/{{path}}",
    "presigned": "/api/2.0/mlflow-artifacts/presigned/{path}",
    "presigned-of-the-run": "/ajax-api/2.0/mlflow-artifacts/presigned/{owned}/{path}",
    "signed": "/api/2.0/mlflow-artifacts/fetch/{path}",
    "proxy-list": f"{PROXY}?path={{path}}",
    "list": f"{V2}/artifacts/list?run_id={{run}}&path={{path}}",
    "get-artifact": "/get-artifact?run_uuid={run}&path={path}",
    "version-artifact": "/model-versions/get-artifact?name={model}&version=1&path={path}",
    "run-file": "/api/v1/runs/{run}/artifacts/{path}",
    "run-files": "/api/v1/runs/{run}/artifacts?path={path}",
    "version-file": "/api/v1/models/{model}/versions/1/files/{path}",
    "logged-model-file": "/api/v1/logged-models/{logged_model}/artifacts/{path}",
    "logged-model-folder": (
        f"{V2}/logged-models/{{logged_model}}/artifacts/directories?artifact_directory_path={{path}}"
    ),
    "asset": "/assets/{path}",
    "run-id": f"{V2}/artifacts/list?run_id={{path}}",
}
LISTS = {"proxy-list", "list", "run-files", "logged-model-folder"}
WRITABLE = ("proxy", "proxy-ajax", "proxy-of-the-run")


def target(victim: Victim, address: str, spelling: str, file: str) -> str:
    path = SPELLINGS[spelling].format(file=file.lstrip("/"), **victim.names)
    return ADDRESSES[address].replace("{path}", path).format(**victim.names)


@pytest.mark.parametrize(("spelling", "address"), list(itertools.product(SPELLINGS, ADDRESSES)))
def test_no_file_is_read_through(victim: Victim, spelling: str, address: str):
    for file in (victim.canary, victim.inside):
        answer = victim.raw("GET", target(victim, address, spelling, str(file)))
        assert CANARY not in answer.text
        if address in LISTS and answer.status == 200:  # as MLflow does: a folder that is not there is empty
            assert _names(answer.text) == []
        else:
            assert 400 <= answer.status < 500, answer.text[:200]


def _names(text: str) -> list[str]:
    """Files that an answer lists."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    files = found.get("files", []) if isinstance(found, dict) else found
    return [str(file.get("path")) for file in files if isinstance(file, dict)]


@pytest.mark.parametrize(("spelling", "address"), list(itertools.product(SPELLINGS, WRITABLE)))
def test_no_file_is_written_or_deleted_through(victim: Victim, spelling: str, address: str):
    before = victim.size()
    for file in (victim.canary, victim.inside):
        at = target(victim, address, spelling, str(file))
        for method in ("PUT", "DELETE"):
            answer = victim.raw(method, at, body=b"overwritten" if method == "PUT" else b"")
            assert 400 <= answer.status < 500, f"{method}: {answer.text[:200]}"
        assert file.read_text() == CANARY
    assert victim.size() == before, "something was recorded as written"


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("step", ["create", "complete", "abort"])
def test_no_upload_in_parts_goes_through(victim: Victim, spelling: str, step: str):
    before = victim.size()
    body = json.dumps({"path": "a.txt", "upload_id": "x", "num_parts": 1, "parts": []}).encode()
    for owned in ("", "{owned}/"):
        path = (owned + SPELLINGS[spelling]).format(file=str(victim.canary).lstrip("/"), **victim.names)
        answer = victim.raw("POST", f"/api/2.0/mlflow-artifacts/mpu/{step}/{path}", body=body)
        assert 400 <= answer.status < 500, answer.text[:200]
    assert victim.canary.read_text() == CANARY
    assert victim.size() == before


@pytest.mark.parametrize("section", ["experiments", "runs", "models", "ledger"])
@pytest.mark.parametrize("spelling", ["CVE-2023-1177-plain", "CVE-2023-6831-encoded", "CVE-2023-6977-proc"])
def test_the_page_answers_with_its_shell_only(victim: Victim, section: str, spelling: str):
    path = SPELLINGS[spelling].format(file=str(victim.canary).lstrip("/"), **victim.names)
    answer = victim.raw("GET", f"/{section}/{path}")
    assert CANARY not in answer.text
    assert answer.status in {200, 404, 503}


PLACES = {
    "CVE-2023-6909-query": "http:///?/../../../../../../../../../../../../../../etc/",
    "CVE-2024-1594-fragment": "http:///#/../../../../../../../../../../../../../../etc/",
    "CVE-2024-3848-fragment-in-path": "http:///x#/../../../../../../../etc/",
    "CVE-2024-1483-hash-for-question-mark": "./mlruns#/../../../../../../../etc/",
    "CVE-2024-2928-traversal-fragment": "file:///a#../../../etc/",
    "CVE-2023-1177-file": "file:///etc/",
    "CVE-2024-3573-empty-scheme": "//etc/",
    "CVE-2024-3573-file-host": "file://localhost/etc/",
    "CVE-2023-6977-proc": "//proc/self/root",
    "CVE-2024-1558-models": "/models/a/../../../etc/",
    "CVE-2024-1593-params": "http:///;/../../../../../etc/",
    "CVE-2024-8859-dbfs": "dbfs:/?x=/../../../../../etc/",
    "CVE-2023-3765-drive": "C:/Windows",
    "CVE-2023-2780-backslash": "\\\\server\\share",
    "CVE-2025-11201-relative": "../../../../etc/",
    "CVE-2023-6018-proxied": "mlflow-artifacts:/../../../etc/",
    "CVE-2023-6018-proxied-host": "mlflow-artifacts://evil.example/etc",
    "CVE-2024-1558-run": "runs:/../../../etc/",
    "CVE-2023-6974-http": "http://127.0.0.1:1/",
    "CVE-2023-6974-s3": "s3://bucket/../../etc",
    "CVE-2024-27134-tmp": "/tmp/",
}


@pytest.mark.parametrize("place", PLACES)
def test_an_experiment_has_no_place_but_ours(victim: Victim, place: str):
    before = victim.experiments()
    answer = victim.post_raw("experiments/create", {"name": f"at {place}", "artifact_location": PLACES[place]})
    assert answer.status == 400, answer.text
    assert victim.experiments() == before


@pytest.mark.parametrize("tags", [[], [{"key": "mlflow.prompt.is_prompt", "value": "true"}]], ids=["plain", "prompt"])
@pytest.mark.parametrize("place", PLACES)
def test_a_version_has_no_source_but_a_model_or_run_of_ours(victim: Victim, place: str, tags: list[Any]):
    """With the tag of a prompt, MLflow did not look at the source at all (a report on huntr after CVE-2025-11201)."""
    body = {"name": victim.model, "source": PLACES[place], "run_id": victim.run, "tags": tags}
    answer = victim.post_raw("model-versions/create", body)
    assert answer.status in {400, 404}, answer.text
    found = victim.owner.get(f"{V2}/model-versions/search").json()["model_versions"]
    assert len(found) == 1


@pytest.mark.parametrize("name", ["../../../pwned", "..\\pwned", "/tmp/pwned", "a/../../pwned", "%2e%2e%2fpwned"])
@pytest.mark.parametrize("kind", ["CVE-2024-0520-dataset", "CVE-2025-11201-model", "CVE-2023-6975-logged-model"])
def test_names_are_names_and_never_paths(victim: Victim, kind: str, name: str):
    if kind.endswith("dataset"):
        dataset = {"name": name, "digest": "d", "source_type": "http", "source": json.dumps({"url": name})}
        victim.post_raw("runs/log-inputs", {"run_id": victim.run, "datasets": [{"dataset": dataset}]})
    elif kind.endswith("logged-model"):
        victim.post_raw("logged-models", {"experiment_id": victim.experiment, "name": name})
    else:
        victim.post_raw("registered-models/create", {"name": name})
    around = [*victim.server.home.parent.rglob("*pwned*"), *victim.server.home.parent.parent.glob("pwned*")]
    assert around == []
