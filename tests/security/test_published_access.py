"""Ways past the door that were published: jobs without a token, default passwords, forgotten verbs, led requests."""

import base64
import stat
import time

import httpx
import pytest

from tests.security.attack_kit import PROXY, V2, Victim, listener

JOBS = [
    ("CVE-2026-0545-submit", "POST", "/ajax-api/3.0/jobs"),
    ("CVE-2026-0545-get", "GET", "/ajax-api/3.0/jobs/1"),
    ("CVE-2026-0545-search", "POST", "/ajax-api/3.0/jobs/search"),
    ("CVE-2026-0545-cancel", "PATCH", "/ajax-api/3.0/jobs/cancel/1"),
    ("CVE-2023-48022-ray-jobs", "POST", "/api/jobs/"),
    ("CVE-2023-6014-sign-up", "POST", f"{V2}/users/create"),
    ("CVE-2025-1473-sign-up", "POST", "/signup"),
    ("CVE-2023-6014-make-admin", "PATCH", f"{V2}/users/update-admin"),
    ("CVE-2025-52967-gateway", "POST", "/ajax-api/2.0/mlflow/gateway-proxy"),
    ("CVE-2025-0453-graphql", "POST", "/graphql"),
    ("CVE-2023-43472-search", "GET", "/ajax-api/2.0/mlflow/experiments/search"),
    ("CVE-2024-24592-files", "GET", f"{PROXY}/x"),
    ("multipart-create", "POST", "/api/2.0/mlflow-artifacts/mpu/create/x"),
    ("multipart-complete", "POST", "/api/2.0/mlflow-artifacts/mpu/complete/x"),
    ("multipart-abort", "POST", "/api/2.0/mlflow-artifacts/mpu/abort/x"),
    ("upload-artifact", "POST", "/ajax-api/2.0/mlflow/upload-artifact"),
    ("our-launch", "POST", "/api/v1/pipelines/train/launch"),
    ("our-deploy", "PUT", "/api/v1/endpoints/x"),
    ("our-export", "POST", "/api/v1/ledger/export"),
]
BODY = b'{"name":"forged","job_name":"x","username":"forged","password":"forged password 1","roles":[],"params":{}}'


@pytest.mark.parametrize(("method", "path"), [job[1:] for job in JOBS], ids=[job[0] for job in JOBS])
def test_nothing_is_started_or_made_without_a_token(victim: Victim, method: str, path: str):
    before = victim.size()
    answer = victim.raw(method, path, [("Content-Type", "application/json")], BODY, token=False)
    assert answer.status in {401, 404, 405}, answer.text
    assert "experiment_id" not in answer.text
    assert victim.size() == before


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("admin", "password1234"),  # CVE-2026-2635
        ("admin", "password"),
        ("admin", "admin"),
        ("admin", ""),
        ("owner", ""),
        ("owner", "owner"),
        ("owner", "password1234"),
        ("root", "root"),
        ("mlflow", "mlflow"),
        ("anonymous", ""),
        ("system", ""),
        ("", ""),
    ],
)
def test_there_is_no_default_password(victim: Victim, name: str, password: str):
    """CVE-2026-2635 and the documented `admin`/`password1234` of MLflow's basic-auth."""
    shown = base64.b64encode(f"{name}:{password}".encode()).decode()
    assert victim.raw("GET", "/api/v1/me", [("Authorization", f"Basic {shown}")], token=False).status in {401, 429}
    with victim.server.client() as page:
        assert page.post("/api/v1/sessions", json={"name": name, "password": password}).status_code in {400, 401, 429}
        assert page.post("/api/v1/setup", json={"code": "", "name": "forged", "password": "forged password 1"}).is_error
    assert "forged" not in victim.owner.get("/api/v1/users").text


@pytest.mark.parametrize("password", ["", "a", "password", "12345678", "victimless", " " * 20])
def test_weak_passwords_are_refused(victim: Victim, password: str):
    """CVE-2025-11200 (weak passwords), CVE-2025-1474 (an account without one)."""
    body = {"name": "victimless", "roles": ["admin"], "password": password}
    assert victim.owner.post("/api/v1/users", json=body).status_code == 400
    assert "victimless" not in victim.owner.get("/api/v1/users").text


def test_an_account_without_a_password_opens_to_none(victim: Victim):
    """CVE-2025-1474: a user made without a password."""
    victim.owner.post("/api/v1/users", json={"name": "bare", "roles": ["admin"]}).raise_for_status()
    for password in ("", "bare", "null", "None"):
        with victim.server.client() as page:
            assert page.post("/api/v1/sessions", json={"name": "bare", "password": password}).is_error


def test_a_password_change_wants_the_old_one_and_ends_sessions(victim: Victim):
    """CVE-2024-2213 (no old password asked for), CVE-2024-4680 (sessions outlive the change)."""
    old, new = "an old long enough phrase", "a new long enough phrase"
    made = victim.owner.post("/api/v1/users", json={"name": "paul", "roles": ["viewer"], "password": old}).json()
    with victim.server.client() as page, victim.server.client() as stolen:
        for client in (page, stolen):
            client.post("/api/v1/sessions", json={"name": "paul", "password": old}).raise_for_status()
        csrf = {"X-Modelkeel-Csrf": page.cookies["modelkeel_csrf"]}
        at = f"/api/v1/users/{made['id']}/password"
        assert page.put(at, json={"password": new}, headers=csrf).status_code == 403
        assert page.put(at, json={"password": new, "current": "wrong"}, headers=csrf).status_code == 403
        assert stolen.get("/api/v1/me").status_code == 200
        assert page.put(at, json={"password": new, "current": old}, headers=csrf).is_success
        assert stolen.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
def test_nobody_opens_or_closes_an_account_but_an_admin_of_the_installation(victim: Victim, verb: str):
    """CVE-2024-25723: anybody could activate, and so take over, an account."""
    name = f"maria-{verb.lower()}"
    token = victim.server.user(name, "maintainer")
    owner = victim.owner.get("/api/v1/me").json()["id"]
    with victim.server.client(token) as maria:
        assert maria.request(verb, f"/api/v1/users/{owner}/disabled").status_code in {403, 404}
        assert maria.put(f"/api/v1/users/{owner}/password", json={"password": "taken over phrase"}).status_code == 403
    assert victim.owner.get("/api/v1/me").status_code == 200


VIEWERS = [
    ("CVE-2024-4263-delete-artifact", "DELETE", f"{PROXY}/{{owned}}/a.txt", None),
    ("put-artifact", "PUT", f"{PROXY}/{{owned}}/b.txt", None),
    ("log-batch", "POST", f"{V2}/runs/log-batch", {"run_id": "{run}", "params": [{"key": "a", "value": "1"}]}),
    ("log-inputs", "POST", f"{V2}/runs/log-inputs", {"run_id": "{run}", "models": [{"model_id": "{logged_model}"}]}),
    ("log-outputs", "POST", f"{V2}/runs/outputs", {"run_id": "{run}", "models": [{"model_id": "{logged_model}"}]}),
    ("log-metric", "POST", f"{V2}/runs/log-metric", {"run_id": "{run}", "key": "a", "value": 1, "timestamp": 1}),
    ("finalize", "PATCH", f"{V2}/logged-models/{{logged_model}}", {"status": "LOGGED_MODEL_UPLOAD_FAILED"}),
    ("delete-model", "DELETE", f"{V2}/registered-models/delete", {"name": "{model}"}),
    ("alias", "POST", f"{V2}/registered-models/alias", {"name": "{model}", "alias": "a", "version": "1"}),
    ("blobs", "PUT", "/api/v1/blobs", None),
    ("labels", "POST", "/api/v1/labels", [{"prediction_id": "x.0", "label": 1}]),
]


@pytest.mark.parametrize(("case", "method", "path", "body"), VIEWERS, ids=[v[0] for v in VIEWERS])
def test_who_may_only_look_can_not_change_by_any_route(victim: Victim, case: str, method: str, path: str, body: object):
    """CVE-2024-4263 and reports on huntr: batch, bulk and artifact routes that forgot the check."""
    token = victim.server.user(f"vera-{case.lower()}", "viewer")
    before = victim.size()
    filled = _fill(body, victim.names)
    with victim.server.client(token) as vera:
        content = {"json": filled} if filled is not None else {"content": b"x"}
        answer = vera.request(method, path.format(**victim.names), **content)  # type: ignore[arg-type]
    assert answer.status_code == 403, answer.text
    assert victim.size() == before
    assert victim.owner.get(f"{PROXY}/{victim.names['owned']}/a.txt").content == b"a file"


def _fill(value: object, names: dict[str, str]) -> object:
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, list):
        return [_fill(each, names) for each in value]
    return {key: _fill(each, names) for key, each in value.items()} if isinstance(value, dict) else value


LED = [
    ("CVE-2023-6974-version-source", "POST", f"{V2}/model-versions/create", {"name": "victim", "source": "{trap}/m"}),
    ("CVE-2023-6974-location", "POST", f"{V2}/experiments/create", {"name": "led", "artifact_location": "{trap}/"}),
    ("CVE-2025-52967-gateway", "POST", "/ajax-api/2.0/mlflow/gateway-proxy", {"gateway_path": "{trap}/"}),
    ("CVE-2025-52967-gateway-api", "POST", "/api/2.0/gateway/x", {"api_base": "{trap}/"}),
    ("CVE-2023-43654-register", "POST", "/models?url={trap}/m.mar", None),
    ("webhook", "POST", f"{V2}/webhooks/create", {"name": "w", "url": "{trap}/", "events": ["RUN"]}),
    ("dataset", "POST", f"{V2}/runs/log-inputs", {"run_id": "{run}", "datasets": [{"dataset": {
        "name": "d", "digest": "1", "source_type": "http", "source": '{{"url": "{trap}/d.csv"}}'}}]}),
    ("run-link", "POST", f"{V2}/model-versions/create", {
        "name": "victim", "source": "models:/{logged_model}", "run_link": "{trap}/r"}),
    ("CVE-2025-54381-deploy", "PUT", "/api/v1/endpoints/led", {"model": "{trap}/m"}),
    ("oidc-after", "GET", "/api/v1/oidc/start?after={trap}/", None),
    ("sign-in-issuer", "GET", "/api/v1/oidc/callback?iss={trap}/&code=x&state=y", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), [case[1:] for case in LED], ids=[case[0] for case in LED])
def test_the_server_calls_no_address_that_it_is_given(victim: Victim, method: str, path: str, body: object):
    with listener() as (trap, heard):
        names = {**victim.names, "trap": trap}
        victim.owner.request(method, path.format(**names), json=_fill(body, names))
        time.sleep(0.05)
        assert heard == [], "the server was led to an address of a client's choice"


@pytest.mark.parametrize("name", ["theirs", "THEIRS", "default,theirs", "*", "installation", "../default", ""])
def test_naming_a_workspace_gives_no_right_in_it(victim: Victim, name: str):
    """Another tenant's object by its id: the header says where one asks, it opens nothing."""
    if name == "theirs":
        victim.owner.post("/api/v1/workspaces", json={"name": "theirs"}).raise_for_status()
    token = victim.server.user(f"wanda-{abs(hash(name))}", "maintainer")
    headers = {"X-MLflow-Workspace": name, "Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{victim.server.url}{V2}/runs/get", params={"run_id": victim.run}, headers=headers)
    assert answer.status_code == (200 if name == "" else 404) or answer.status_code in {400, 403}, answer.text


def test_nothing_in_the_home_is_open_to_other_users(victim: Victim):
    """CVE-2025-10279, CVE-2024-27134: folders of mode 0777 in which others place code."""
    home = victim.server.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700, "nobody else may even enter it"
    open_to_all = [p for p in home.rglob("*") if not p.is_symlink() and p.lstat().st_mode & 0o022]
    assert open_to_all == []
    for secret in ("owner.token", "keys/ledger.pem"):
        assert stat.S_IMODE((home / secret).stat().st_mode) == 0o600
