"""Content that turns against who opens it: scripts in files, names and errors; pickles; leaks in error messages."""

import io
import pickle
import tarfile
import time
from pathlib import Path

import pytest

from modelkeel.core.errors import InvalidInput
from modelkeel.core.paths import unpack
from tests.security.attack_kit import CANARY, PROXY, V2, Victim

SCRIPT = b"<html><script>fetch('/api/v1/users')</script></html>"
FILES = {
    "CVE-2024-27132-card": "card.html",
    "CVE-2024-27133-table": "table.htm",
    "CVE-2024-24594-xhtml": "a.xhtml",
    "CVE-2024-24594-svg": "a.svg",
    "CVE-2024-24594-xml": "a.xml",
    "script": "a.js",
    "module": "a.mjs",
    "style": "a.css",
    "pdf": "a.pdf",
    "no-suffix": "README",
    "two-suffixes": "a.html.txt",
    "upper-case": "A.HTML",
    "shtml": "a.shtml",
    "manifest": "a.webmanifest",
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_is_saved_and_never_run_by_a_browser(victim: Victim, case: str):
    name = FILES[case]
    victim.put(name, SCRIPT)
    for path in (f"{PROXY}/{victim.names['owned']}/{name}", f"/api/v1/runs/{victim.run}/artifacts/{name}"):
        answer = victim.owner.get(path)
        assert answer.content == SCRIPT
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", ['a"; filename="b.html', "a\u202egnp.html", "ü.html", "a;b.html", "%0d%0aX-Evil: 1"])
def test_a_files_name_adds_no_header(victim: Victim, name: str):
    at = f"{PROXY}/{victim.names['owned']}/{name}"
    if victim.owner.put(at, content=SCRIPT).status_code == 200:
        answer = victim.owner.get(at)
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        assert "x-evil" not in answer.headers
        assert '"' not in answer.headers["content-disposition"]


MARKUP = "<img src=x onerror=alert(1)><script>alert(1)</script>"
ECHOES = {
    "CVE-2023-6568-content-type": ("POST", f"{V2}/experiments/create", {"Content-Type": MARKUP}, b"x"),
    "CVE-2023-6568-unknown-path": ("GET", f"{V2}/{MARKUP}", {}, b""),
    "page-path": ("GET", f"/api/v1/runs/{MARKUP}", {}, b""),
    "query": ("GET", f"/api/v1/experiments?filter={MARKUP}", {}, b""),
    "openapi": ("GET", f"/api/v1/openapi/{MARKUP}", {}, b""),
    "asset": ("GET", f"/assets/{MARKUP}", {}, b""),
    "page": ("GET", f"/experiments/{MARKUP}", {}, b""),
    "json-name": ("POST", f"{V2}/experiments/create", {}, b'{"name": 7, "<script>alert(1)</script>": 1}'),
    "origin": ("GET", "/api/v1/me", {"Origin": MARKUP}, b""),
    "host": ("GET", "/api/v1/me", {"Host": MARKUP}, b""),
    "sign-in-error": ("GET", f"/login?error={MARKUP}", {}, b""),
}


@pytest.mark.parametrize("case", ECHOES)
def test_what_was_sent_comes_back_as_no_page(victim: Victim, case: str):
    method, path, headers, body = ECHOES[case]
    answer = victim.raw(method, path.replace(" ", "%20"), list(headers.items()), body)
    kind = answer.headers.get("content-type", "")
    if "html" in kind:
        assert "<script>alert" not in answer.text
        assert "onerror" not in answer.text
    else:
        assert "json" in kind or "text/plain" in kind or answer.status in {0, 400}, kind


def test_the_page_runs_no_script_but_its_own(victim: Victim):
    answer = victim.owner.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_tags_and_names_come_back_as_json_only(victim: Victim):
    """CVE-2024-27133: fields of a table shown as they are."""
    run = victim.post("runs/create", experiment_id=victim.experiment, run_name=MARKUP)["run"]["info"]["run_id"]
    victim.post("runs/set-tag", run_id=run, key="mlflow.note.content", value=MARKUP)
    for path in (f"{V2}/runs/get?run_id={run}", f"/api/v1/runs/{run}"):
        answer = victim.owner.get(path)
        assert answer.headers["content-type"].startswith("application/json")


ERRORS = {
    "bad-json": ("POST", f"{V2}/runs/log-batch", b"{"),
    "bad-type": ("POST", f"{V2}/runs/create", b'{"experiment_id": {"a": 1}}'),
    "bad-filter": ("POST", f"{V2}/runs/search", b'{"experiment_ids": ["1"], "filter": "metrics.`"}'),
    "bad-token": ("POST", f"{V2}/runs/search", b'{"experiment_ids": ["1"], "page_token": "AAAA"}'),
    "bad-utf8": ("POST", f"{V2}/runs/log-batch", b"\xff\xfe"),
    "bad-reference": ("PUT", "/api/v1/monitors/x/reference", b"PAR1 no parquet PAR1"),
    "bad-labels": ("POST", "/api/v1/labels", b'[{"prediction_id": 1}]'),
    "bad-digest": ("GET", "/api/v1/blobs/..%2f..%2fx", b""),
    "bad-model": ("PUT", "/api/v1/endpoints/x", b'{"model": "../x"}'),
    "bad-number": ("GET", "/api/v1/ledger/entries?limit=x", b""),
    "big-number": ("GET", f"/api/v1/ledger/entries/{9**40}/proof", b""),
    "bad-time": ("GET", "/api/v1/served/x?server_time=x", b""),
    "bad-id": ("GET", "/api/v1/promotions/%00", b""),
    "surrogate": ("POST", f"{V2}/experiments/create", b'{"name": "\\ud800"}'),
    "nul": ("POST", f"{V2}/experiments/create", b'{"name": "a\\u0000b"}'),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_tell_nothing_of_the_inside(victim: Victim, case: str):
    """CVE-2023-43472 and huntr reports: traces, paths and SQL in answers."""
    method, path, body = ERRORS[case]
    answer = victim.raw(method, path, [("Content-Type", "application/json")], body)
    assert answer.status < 500, answer.text
    for inside in ("Traceback", 'File "', str(victim.server.home), "site-packages", "sqlite", "SELECT", "sqlalchemy"):
        assert inside not in answer.text


class Bomb:
    """Touches a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


PICKLED = {
    "CVE-2024-24590-artifact": ("PUT", f"{PROXY}/{{owned}}/model.pkl", "application/octet-stream"),
    "CVE-2025-27520-body": ("POST", f"{V2}/experiments/create", "application/vnd.bentoml+pickle"),
    "CVE-2025-32375-no-type": ("POST", f"{V2}/runs/log-batch", ""),
    "labels": ("POST", "/api/v1/labels", "application/x-pickle"),
    "reference": ("PUT", "/api/v1/monitors/x/reference", "application/octet-stream"),
    "blob": ("PUT", "/api/v1/blobs", "application/octet-stream"),
    "steps": ("POST", "/api/v1/pipelines/runs/x/steps", "application/x-python-serialize"),
    "sign-in": ("POST", "/api/v1/sessions", "application/python-pickle"),
}


@pytest.mark.parametrize("case", PICKLED)
def test_no_pickle_is_ever_loaded_by_the_server(victim: Victim, tmp_path: Path, case: str):
    method, path, kind = PICKLED[case]
    mark = tmp_path / "unpickled"
    payload = pickle.dumps(Bomb(mark))
    pickle.loads(payload)
    assert mark.exists(), "the payload works"
    mark.unlink()
    headers = [("Content-Type", kind)] if kind else []
    answer = victim.raw(method, path.format(**victim.names), headers, payload)
    assert answer.status < 500
    if method == "PUT" and "artifacts" in path:
        victim.owner.get(f"{V2}/artifacts/list", params={"run_id": victim.run})
        assert victim.owner.get(path.format(**victim.names)).content == payload
    assert not mark.exists()


DOCUMENTS = {
    "CVE-2017-18342-object": b"flavors: !!python/object/apply:os.system ['touch {mark}']",
    "CVE-2017-18342-new": b"signature: !!python/object/new:pathlib.Path ['{mark}']",
    "CVE-2019-11253-laughs": b"a0: &a0 [1]\n"
    + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 20)) for n in range(1, 15))
    + b"signature: {inputs: *a14}\nflavors: *a14",
    "deep": b"signature: " + b"[" * 100_000,
    "deep-and-closed": b"signature: " + b"[" * 20_000 + b"]" * 20_000,
    "deep-text": b"signature: {inputs: '" + b"[" * 100_000 + b"]" * 100_000 + b"'}",
    "less-deep-text": b"signature: {inputs: '" + b"[" * 900 + b"]" * 900 + b"'}",
    "many": b"flavors:\n" + b"".join(b"  k%d: [1,2,3]\n" % n for n in range(45_000)),
    "large": b"flavors: {}\nx: " + b"a" * 30_000_000,
    "malformed": b"{\x00",
    "cyclic": b"&a [*a]",
    "cyclic-fields": b"&a {flavors: *a, signature: *a}",
    "not-utf8": b"\xff\xfe\x00",
    "date": b"flavors: {2001-01-01: 1, a: 2}",
    "merge": b"<<: [1, 2]",
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_document_of_a_model_is_data_and_small(victim: Victim, tmp_path: Path, case: str):
    """What describes a model is read by the server: for the page, and by the gates of a promotion."""
    mark = tmp_path / "made"
    run = victim.post("runs/create", experiment_id=victim.experiment)["run"]["info"]["run_id"]
    at = f"{PROXY}/{victim.experiment}/{run}/artifacts/model/MLmodel"
    content = DOCUMENTS[case].replace(b"{mark}", str(mark).encode())
    victim.owner.put(at, content=content).raise_for_status()
    name = f"doc-{case}"
    victim.post("registered-models/create", name=name)
    victim.post("model-versions/create", name=name, source=f"runs:/{run}/model", run_id=run)
    victim.owner.put(f"/api/v1/policies/{name}", json={"schema": True}).raise_for_status()
    start = time.monotonic()
    shown = victim.owner.get(f"/api/v1/models/{name}/versions/1")
    asked = victim.owner.post("/api/v1/promotions", json={"model": name, "version": 1, "alias": "champion"})
    assert time.monotonic() - start < 3
    assert shown.status_code == 200, shown.text[:300]
    assert asked.json()["status"] == "refused", asked.text[:300]
    assert not mark.exists()


def _tar(*members: tuple[str, bytes, str]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, kind, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            member.size = 4 if kind == tarfile.REGTYPE else 0
            member.mode = 0o4777
            archive.addfile(member, io.BytesIO(b"evil") if member.size else None)
    packed.seek(0)
    return packed


MEMBERS = {
    "CVE-2007-4559-up": [("../evil", tarfile.REGTYPE, "")],
    "CVE-2007-4559-absolute": [("/tmp/modelkeel-evil", tarfile.REGTYPE, "")],
    "CVE-2023-6975-deep": [("a/b/../../../evil", tarfile.REGTYPE, "")],
    "CVE-2025-4517-link-up": [("l", tarfile.SYMTYPE, ".."), ("l/evil", tarfile.REGTYPE, "")],
    "CVE-2025-4517-link-away": [("l", tarfile.SYMTYPE, "/tmp"), ("l/modelkeel-evil", tarfile.REGTYPE, "")],
    "hard-link": [("l", tarfile.LNKTYPE, "/etc/passwd")],
    "device": [("d", tarfile.CHRTYPE, "")],
    "pipe": [("p", tarfile.FIFOTYPE, "")],
    "drive": [("C:/evil", tarfile.REGTYPE, "")],
    "backslash": [("..\\evil", tarfile.REGTYPE, "")],
    "encoded": [("%2e%2e/evil", tarfile.REGTYPE, "")],
    "empty-name": [("", tarfile.REGTYPE, "")],
    "twice": [("a", tarfile.REGTYPE, ""), ("a", tarfile.SYMTYPE, "/etc/passwd")],
}


@pytest.mark.parametrize("case", MEMBERS)
def test_no_archive_lays_a_file_elsewhere(tmp_path: Path, case: str):
    (tmp_path / "canary").write_text(CANARY)
    with pytest.raises(InvalidInput):
        unpack(_tar(*MEMBERS[case]), tmp_path / "in", largest=1 << 20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary", "in"]
    assert not any(path.is_symlink() for path in (tmp_path / "in").rglob("*"))
    assert not Path("/tmp/modelkeel-evil").exists()


def test_an_archive_grows_no_further_than_it_may(tmp_path: Path):
    """Bombs: many members, large members, and compressed archives, which are not read at all."""
    with pytest.raises(InvalidInput):
        unpack(_tar(*[(f"f{n}", tarfile.REGTYPE, "") for n in range(20)]), tmp_path / "a", largest=1 << 20, members=10)
    with pytest.raises(InvalidInput):
        unpack(_tar(*[(f"f{n}", tarfile.REGTYPE, "") for n in range(20)]), tmp_path / "b", largest=40)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    packed.seek(0)
    with pytest.raises(InvalidInput):
        unpack(packed, tmp_path / "c", largest=1 << 20)
