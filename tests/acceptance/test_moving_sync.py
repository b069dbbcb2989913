"""Two Modelkeels: what one has the other gets, once, however often and wherever it is interrupted."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from tests.acceptance.moving_kit import command, fill, forget_repositories, picture, registry
from tests.acceptance.moving_traces_kit import datasets_of, traces_of
from tests.conftest import Server, start_server


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """A laptop and a team's server. Each test has experiments of its own there."""
    servers = [start_server(Path(tempfile.mkdtemp(prefix="mk"))) for _ in range(2)]
    yield servers[0], servers[1]
    for server in servers:
        server.stop()


def _push(laptop: Server, team: Server, *more: str) -> dict[str, Any]:
    return _report("push", "--to", laptop, team, *more)


def _pull(laptop: Server, team: Server, *more: str) -> dict[str, Any]:
    return _report("pull", "--from", laptop, team, *more)


def _report(way: str, option: str, laptop: Server, team: Server, *more: str) -> dict[str, Any]:
    words = ("sync", way, option, team.url, "--json", *more)
    done = command(*words, home=laptop.home, MODELKEEL_PEER_TOKEN=team.token)
    return dict(json.loads(done.stdout)["report"])


def _entries(server: Server) -> int:
    """How many, but for seals, which come by themselves."""
    with server.client(server.token) as client:
        entries = client.get("/api/v1/ledger/entries", params={"limit": 1000}).json()["entries"]
    return sum(1 for entry in entries if entry["type"] != "run.sealed")


def test_a_push_repeated_changes_nothing_and_a_pull_brings_back_what_the_team_did(
    pair: tuple[Server, Server], tmp_path: Path
):
    laptop, team = pair
    fill(laptop.url, tmp_path)
    here, there = MlflowClient(laptop.url), MlflowClient(team.url)

    first = _push(laptop, team)
    assert first["differences"] == []
    assert picture(there) == picture(here)
    assert datasets_of(there) == datasets_of(here)
    assert registry(there)["churn"]["versions"].keys() == {1, 2}  # numbers are each server's own
    before = _entries(team)
    again = _push(laptop, team)
    assert again["differences"] == []
    assert again["counts"].get("made", 0) == again["counts"].get("changed", 0) == 0
    assert again["counts"].get("sent_bytes", 0) == 0
    assert _entries(team) == before + 2  # that it began, and that it ended

    # the team tags a run and adds one; the laptop gets both, and no version twice
    churn = there.get_experiment_by_name("churn")
    assert churn is not None
    run = there.search_runs([churn.experiment_id])[0].info.run_id
    there.set_tag(run, "reviewed", "yes")
    judged, changed, _ = sorted(traces_of(there, churn.experiment_id))
    mlflow.set_tracking_uri(team.url)
    mlflow.log_feedback(trace_id=judged, name="by the team", value=1)
    there.set_trace_tag(changed, "team", "b")
    there.delete_trace_tag(changed, "mlflow.traceName")
    store = there._tracking_client.store
    (dataset,) = datasets_of(there)
    (first, *_), _ = store._load_dataset_records(dataset)
    store.delete_dataset_records(dataset, [first.dataset_record_id])
    store.upsert_dataset_records(dataset, [{"inputs": {"q": "more"}}, {"inputs": {"q": "ü"}, "outputs": "changed"}])
    added = there.create_run(churn.experiment_id, run_name="by the team").info.run_id
    there.log_metric(added, "loss", 0.1)
    back = _pull(laptop, team)
    assert back["differences"] == []
    assert picture(here) == picture(there)
    assert datasets_of(here) == datasets_of(there)
    assert registry(here)["churn"]["versions"].keys() == {1, 3}


def test_a_run_that_goes_on_follows_and_what_both_changed_is_reported(pair: tuple[Server, Server]):
    laptop, team = pair
    here, there = MlflowClient(laptop.url), MlflowClient(team.url)
    experiment = here.create_experiment("lab")
    run = here.create_run(experiment).info.run_id
    for step in range(10):
        here.log_metric(run, "loss", 1 / (step + 1), step=step, timestamp=step)
    here.log_text(run, "one", "a.txt")
    here.set_tag(run, "who", "me")
    assert _push(laptop, team, "--experiment", "lab")["differences"] == []

    here.log_metric(run, "loss", 0.01, step=10, timestamp=10)
    here.log_text(run, "two", "b.txt")
    here.log_text(run, "changed", "a.txt")
    here.set_tag(run, "who", "I")
    here.set_tag(run, "mine", "1")
    there.set_tag(run, "who", "we")
    there.set_tag(run, "theirs", "2")
    there.log_metric(run, "team", 5.0)
    here.set_terminated(run)
    report = _push(laptop, team, "--experiment", "lab")
    assert any("tag:who" in line for line in report["differences"])
    held = there.get_run(run)
    assert held.info.status == "FINISHED"
    assert {k: held.data.tags[k] for k in ("who", "mine", "theirs")} == {"who": "we", "mine": "1", "theirs": "2"}
    assert [m.value for m in there.get_metric_history(run, "loss")][-1] == 0.01
    forget_repositories()
    assert Path(there.download_artifacts(run, "a.txt")).read_text() == "changed"
    assert Path(there.download_artifacts(run, "b.txt")).read_text() == "two"

    # still reported, until somebody decides; then both sides agree
    assert any("tag:who" in line for line in _push(laptop, team, "--experiment", "lab")["differences"])
    here.set_tag(run, "who", "we")
    assert not any("tag:who" in line for line in _push(laptop, team, "--experiment", "lab")["differences"])
    assert _pull(laptop, team, "--experiment", "lab")["differences"] == []
    assert here.get_run(run).data.tags["theirs"] == "2"
    assert [m.value for m in here.get_metric_history(run, "team")] == [5.0]


def test_a_conflict_in_a_sealed_run_is_reported_until_it_is_solved(pair: tuple[Server, Server]):
    laptop, team = pair
    here, there = MlflowClient(laptop.url), MlflowClient(team.url)
    experiment = here.create_experiment("sealed")
    run, still = (here.create_run(experiment).info.run_id for _ in range(2))
    here.set_tag(run, "who", "me")
    for one in (run, still):
        here.log_metric(one, "loss", 1.0)
        here.set_terminated(one)
    lab = ("--experiment", "sealed")
    assert _push(laptop, team, *lab)["differences"] == []
    here.set_tag(run, "who", "I")
    there.set_tag(run, "who", "we")
    _wait_for_seal(laptop, experiment)  # a new tag may have opened it again
    for number in range(3):
        report = _push(laptop, team, *lab)
        assert [line for line in report["differences"] if "tag:who" in line]
        assert not number or report["counts"]["same"] == 1  # only the other run, which went over sealed, is passed over
    here.set_tag(run, "who", "we")
    _wait_for_seal(laptop, experiment)
    assert _push(laptop, team, *lab)["differences"] == []
    assert _push(laptop, team, *lab)["counts"]["same"] == 2


def test_killed_anywhere_it_goes_on_and_nothing_is_lost_or_doubled(pair: tuple[Server, Server]):
    laptop, team = pair
    here, there = MlflowClient(laptop.url), MlflowClient(team.url)
    experiment = here.create_experiment("big")
    for number in range(12):
        run = here.create_run(experiment, run_name=f"run {number}").info.run_id
        for step in range(0, 300, 100):
            at = range(step, step + 100)
            _log(here, run, at)
        here.log_text(run, "x" * 200_000 + str(number), "big.txt")
        here.set_terminated(run)
    words = [sys.executable, "-m", "modelkeel", "sync", "push", "--to", team.url, "--experiment", "big"]
    environment = {**os.environ, "MODELKEEL_HOME": str(laptop.home), "MODELKEEL_PEER_TOKEN": team.token}
    for pause in (0.05, 0.15, 0.3):
        process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_for_more(team, process)
        time.sleep(pause)
        process.kill()
        process.wait()
    team.kill()  # and the server too, in the end
    restarted = start_server(team.home, "--port", team.url.rpartition(":")[2])
    try:
        assert _push(laptop, restarted, "--experiment", "big")["differences"] == []
        assert picture(there, ("big",)) == picture(here, ("big",))
        with restarted.client(restarted.token) as client:
            found = client.get("/api/v1/imports").json()
        assert all(one["ended"] for one in found)  # what was interrupted was gone on with
    finally:
        restarted.stop()


def _log(client: MlflowClient, run: str, steps: range) -> None:
    from mlflow.entities import Metric

    client.log_batch(run, [Metric("loss", float(step), step, step) for step in steps])


def _wait_for_more(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Until the push has written something."""
    before, until = _entries(server), time.monotonic() + 20
    while _entries(server) == before and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)


def _wait_for_seal(server: Server, experiment: str) -> None:
    """Until all runs of an experiment are sealed: only a sealed one has a mark."""
    until = time.monotonic() + 30
    with server.client(server.token) as client:
        while True:
            page = client.get("/api/v1/exports/runs", params={"experiment": experiment}).json()
            if all(one.get("mark") for one in page["runs"]):
                return
            assert time.monotonic() < until, "The runs were not sealed."
            time.sleep(0.05)
