"""Data sets as a user has them: versions from files and tables, in pipelines, in plain mlflow runs, by command."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import modelkeel as keel
from modelkeel.app import Keel
from modelkeel.core.errors import InvalidInput, NotFound
from tests.acceptance.test_pipelines import RUNS, Project
from tests.conftest import start_server

PIPELINE = """
from pathlib import Path

import modelkeel as keel
import polars as pl


@keel.step
def count(frame: pl.DataFrame) -> int:
    return frame.height


@keel.pipeline
def counted() -> int:
    return count(keel.load_dataset("trips"))


@keel.step
def count_lines(path: Path) -> int:
    return len(path.read_text().splitlines())


@keel.pipeline
def lines() -> int:
    return count_lines(keel.load_dataset("lines"))


@keel.pipeline
def makes(rows: int) -> int:
    return keel.save_dataset("made", pl.DataFrame({"a": list(range(rows))})).number
"""
PLAIN = """
import mlflow

import modelkeel as keel

mlflow.set_experiment("plain")
with mlflow.start_run() as run:
    print(keel.load_dataset("trips", 1).height)
print(run.info.run_id)
"""


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(home / "home")
    found = Project(server, home / "project")
    found.write(counting=PIPELINE, plain=PLAIN)
    yield found
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def api(project: Project) -> keel.Api:
    return keel.Api(project.server.url, project.server.token)


def trips(count: int, fare: float = 2.5) -> pl.DataFrame:
    return pl.DataFrame({"id": range(count), "fare": [fare * (one % 5) for one in range(count)], "by": ["cab"] * count})


def test_a_version_is_what_it_was_and_the_same_content_makes_none(project: Project, api: keel.Api) -> None:
    first = keel.save_dataset("trips", trips(100), source="the depot", description="Trips by cab.", api=api)
    assert (first.number, first.new, first.user) == (1, True, "owner")
    again = keel.save_dataset("trips", trips(100), api=api)
    assert (again.number, again.new) == (1, False)
    second = keel.save_dataset("trips", trips(130, 3.0).with_columns(tip=pl.lit(0.5)).drop("by"), api=api)
    assert second.number == 2
    assert keel.load_dataset("trips", 1, api=api).equals(trips(100))
    assert keel.load_dataset("trips", api=api).height == 130
    fare = next(column for column in first.profile.columns if column.name == "fare")
    assert (fare.type, fare.nulls, fare.distinct, fare.min, fare.max, fare.mean) == (
        "Float64",
        0,
        5,
        "0.0",
        "10.0",
        5.0,
    )
    found = project.command("dataset", "diff", "trips", "1", "2")
    assert (found["rows"], found["same"]) == ([100, 130], False)
    told = {(one["column"], one["what"]) for one in found["columns"]}
    assert {("by", "removed"), ("tip", "added"), ("fare", "max"), ("id", "distinct")} <= told
    shown = project.command("dataset", "show", "trips")
    assert (shown["description"], shown["owner"], [one["number"] for one in shown["versions"]]) == (
        "Trips by cab.",
        "owner",
        [2, 1],
    )


def test_a_pipeline_that_reads_a_data_set_runs_again_for_another_version(project: Project, api: keel.Api) -> None:
    first = project.run("counting.py:counted")
    assert first["data"][0]["name"] == "datasets:/trips"
    assert project.run("counting.py:counted")["cached_steps"] == 1
    keel.save_dataset("trips", trips(50), api=api)
    assert project.run("counting.py:counted")["cached_steps"] == 0
    assert project.command("reproduce", first["run_id"])["reproduction"]["verdict"] == "identical"
    assert first["run_id"] in project.command("dataset", "show", "trips", "2")["used_by"]
    made = project.run("counting.py:makes", "-p", "rows=4")
    assert project.command("dataset", "show", "made", "1")["run_id"] == made["run_id"]


def test_a_new_version_starts_a_pipeline_that_reads_it(project: Project, api: keel.Api, tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("one\n")
    keel.save_dataset("lines", file, api=api)
    project.run("counting.py:lines")
    project.command("trigger", "set", "on-lines", "lines", "--on", "dataset_version.created", "--where", "name=lines")
    file.write_text("one\ntwo\n")
    keel.save_dataset("lines", file, api=api)
    deadline = time.monotonic() + 60
    while True:
        run = project.get(f"{RUNS}/{project.command('runs', '--pipeline', 'lines')[0]['run_id']}")
        if run["origin"] == "launch" and run["ended"]:
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert (run["status"], run["steps"][0]["output"]["inline"]) == ("finished", "2"), run["error"]


def test_a_plain_mlflow_run_notes_what_it_read(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "plain.py"],
        cwd=project.folder,
        env={**project.environment, "MLFLOW_TRACKING_URI": project.server.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.split()[-1]
    noted = project.get(f"/api/v1/runs/{run_id}")["inputs"]
    assert [one["name"] for one in noted] == ["trips"]
    assert run_id in project.command("dataset", "show", "trips", "1")["used_by"]


def test_files_and_folders_by_command(project: Project, api: keel.Api, tmp_path: Path) -> None:
    file = tmp_path / "late.csv"
    file.write_text("flight,delay\nAA1,4\nUA2,\n")
    added = project.command("dataset", "add", "late", str(file))
    assert [(one["name"], one["nulls"]) for one in added["profile"]["columns"]] == [("flight", 0), ("delay", 1)]
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.bin").write_bytes(b"a" * 5000)
    assert project.command("dataset", "add", "pictures", str(folder))["profile"]["files"] == 1
    project_dataset(project, "get", "pictures", str(tmp_path / "copy"))
    assert (tmp_path / "copy" / "deep" / "a.bin").read_bytes() == b"a" * 5000
    assert "is there already" in project_dataset(project, "get", "late", str(tmp_path / "copy"), status=1)
    assert {one["name"] for one in project.command("dataset", "list")} >= {"late", "pictures", "trips"}
    with pytest.raises(InvalidInput, match="name of a data set"):
        keel.save_dataset("a/b", trips(1), api=api)
    with pytest.raises(NotFound, match="no data set"):
        keel.load_dataset("nothing", api=api)


def test_versions_are_kept_as_long_as_is_said(project: Project, api: keel.Api) -> None:
    for count in (1, 2, 3, 4):
        keel.save_dataset("short", trips(count), api=api)
    project_dataset(project, "delete", "short", "1")
    with pytest.raises(NotFound, match="let go"):
        keel.load_dataset("short", 1, api=api)
    assert "newest" in project_dataset(project, "delete", "short", "4", status=1)
    project_dataset(project, "delete", "short")
    with pytest.raises(NotFound):
        keel.load_dataset("short", api=api)


def project_dataset(project: Project, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "modelkeel", "dataset", *arguments],
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return " ".join((done.stdout + done.stderr).split())


async def test_retention_lets_go_of_all_but_what_is_kept(keel: Keel) -> None:
    from modelkeel.core.credentials import Credential, Shown
    from modelkeel.pipelines.datasets import store
    from modelkeel.wire.datasets import AddVersion, DescribeDataset, Profile
    from modelkeel.wire.values import Value

    owner = await keel.identity.authenticate(Credential(Shown.TOKEN, keel.owner_token))

    async def add(number: int) -> Any:
        value = Value("json", f"{number:064x}", 1, str(number))
        return await keel.datasets.add(owner, "days", AddVersion(value, Profile()))

    for number in range(5):
        await add(number)
    assert await keel.datasets.sweep() == 0
    await keel.datasets.describe(owner, "days", DescribeDataset(keep_versions=2))
    assert await keel.datasets.sweep() == 3
    left = [one.number for one in (await keel.datasets.get(owner, "days")).versions if one.deleted is None]
    assert left == [5, 4]
    await keel.datasets.describe(owner, "days", DescribeDataset(keep_for_ever=True))
    await keel.datasets.describe(owner, "days", DescribeDataset(keep_days=1))
    found = (await keel.datasets.get(owner, "days")).id
    old = int(time.time() * 1000) - 2 * 86_400_000
    keel.database.write_now(
        lambda tx: tx.run(store.version.update().where(store.version.c.dataset == found).values(created=old))
    )
    assert await keel.datasets.sweep() == 1, "the newest one stays"
    types = [entry.type for entry in await keel.ledger.entries(owner, limit=100)]
    assert types.count("dataset_version.deleted") == 4
