"""Training programs of many kinds, each rerun from the server alone, and the verdict that each deserves."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest

from tests.acceptance.test_pipelines import RUNS, Project
from tests.conftest import start_server

DATA = '''
"""Data that every program reads."""

import numpy as np
import pandas as pd


def numbers(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(1).normal(size=(rows, 6))
    return x, (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(int)


def table(rows: int = 400) -> pd.DataFrame:
    x, y = numbers(rows)
    words = np.array(["late plane", "on time", "bad weather late", "clear sky on time"])
    frame = pd.DataFrame(x[:, :2], columns=["a", "b"])
    frame["carrier"] = np.array(["AA", "UA", "DL"])[np.arange(rows) % 3]
    frame["note"] = words[np.arange(rows) % 4]
    frame["y"] = y
    return frame
'''
HEAD = """
import mlflow
import numpy as np
import pandas as pd
from data import numbers, table

import modelkeel as keel
"""
# name: the verdict on its rerun, and the step's body
PROGRAMS: dict[str, tuple[str, str]] = {
    "linear": (
        "identical",
        """
from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit(*numbers())
mlflow.sklearn.log_model(model, name='model', serialization_format='cloudpickle', registered_model_name='linear')
mlflow.log_metric('score', model.score(*numbers()))
return model
        """,
    ),
    "forest": (
        "identical",
        """
from sklearn.ensemble import RandomForestClassifier
model = RandomForestClassifier(20, n_jobs=2).fit(*numbers())
mlflow.sklearn.log_model(model, name='model', serialization_format='cloudpickle')
return model
        """,
    ),
    "boosting": (
        "identical",
        """
from sklearn.ensemble import HistGradientBoostingClassifier
return HistGradientBoostingClassifier(max_iter=20, early_stopping=True).fit(*numbers())
        """,
    ),
    "text_and_categories": (
        "identical",
        """
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
frame = table()
columns = make_column_transformer((StandardScaler(), ['a', 'b']), (OneHotEncoder(), ['carrier']),
                                  (TfidfVectorizer(), 'note'))
return make_pipeline(columns, SGDClassifier(max_iter=20, tol=None)).fit(frame.drop(columns='y'), frame['y'])
        """,
    ),
    "xgboost": (
        "identical",
        """
from xgboost import XGBClassifier
model = XGBClassifier(n_estimators=20, subsample=0.7, n_jobs=2, random_state=7).fit(*numbers())
mlflow.log_metric('score', float(model.score(*numbers())))
return model
        """,
    ),
    "lightgbm": (
        "identical",
        """
from lightgbm import LGBMClassifier
return LGBMClassifier(n_estimators=20, deterministic=True, n_jobs=2, verbose=-1, random_state=7).fit(*numbers())
        """,
    ),
    "net": (
        "identical",
        """
from sklearn.neural_network import MLPClassifier
x, y = numbers()
model = MLPClassifier((16,), max_iter=30).fit(x, y)
return {'weights': model.coefs_, 'loss': model.loss_curve_}
        """,
    ),
    "numpy_only": (
        "identical",
        """
x, y = numbers()
w = np.random.normal(size=x.shape[1])
for _ in range(100):
    w -= 0.1 * x.T @ (1 / (1 + np.exp(-x @ w)) - y) / len(y)
return w
        """,
    ),
    "polars_features": (
        "identical",
        """
import polars as pl
frame = pl.DataFrame({name: list(column) for name, column in table().items()})
return frame.with_columns(r=pl.col('a').rolling_mean(5)).group_by('carrier').agg(
    pl.col('r').mean(), pl.col('b').quantile(0.9)
).sort('carrier')
        """,
    ),
    "threaded_blas": (
        "identical",
        """
x = np.random.default_rng(3).normal(size=(1500, 300))
u, s, v = np.linalg.svd(x, full_matrices=False)
return np.outer(s, s) @ (v @ v.T)
        """,
    ),
    "unseeded": (
        "diverged",
        """
import secrets
return np.random.default_rng(secrets.randbits(64)).normal(size=5)
        """,
    ),
    "by_the_clock": (
        "equivalent",
        """
import time
return np.array([1.0, 2.0]) + 1e-12 * (time.time() % 1000)
        """,
    ),
    "release": ("", "from importlib.metadata import version\nreturn version('cronsim')"),
    "by_the_machine": (
        "diverged",
        """
import uuid
return str(uuid.uuid4())
        """,
    ),
}


def pipeline(name: str, *programs: str) -> str:
    """A pipeline of that name with a step for each program, `fit_` and its name."""
    steps = "\n\n".join(
        f"@keel.step\ndef fit_{one}() -> object:\n{indent(dedent(PROGRAMS[one][1]).strip(), '    ')}\n"
        for one in programs
    )
    calls = "\n".join(f"    fit_{one}()" for one in programs)
    return f"{HEAD}\n\n{steps}\n\n@keel.pipeline\ndef {name}() -> None:\n{calls}\n"


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(home / "home")
    found = Project(server, home / "project")
    found.write(data=DATA)
    yield found
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


def test_each_program_gets_the_verdict_that_it_deserves(project: Project) -> None:
    faithful = [name for name, (verdict, _) in PROGRAMS.items() if verdict == "identical"]
    assert len(faithful) >= 10
    project.write(faithful=pipeline("faithful", *faithful))
    assert project.run("faithful.py:faithful")["status"] == "finished"
    verdict = project.command("reproduce", "models:/linear/1")["reproduction"]
    assert (verdict["verdict"], verdict["differences"]) == ("identical", [])
    assert (verdict["steps"], verdict["models"]) == (len(faithful), 2)


def test_what_is_close_is_equivalent_and_what_is_not_diverges(project: Project) -> None:
    project.write(clock=pipeline("clock", "numpy_only", "by_the_clock"))
    run = project.run("clock.py:clock")
    verdict = project.command("reproduce", run["run_id"])["reproduction"]
    assert (verdict["verdict"], [one["name"] for one in verdict["differences"]]) == ("equivalent", ["fit_by_the_clock"])
    wild = [name for name, (deserved, _) in PROGRAMS.items() if deserved == "diverged"]
    project.write(wild=pipeline("wild", "numpy_only", *wild))
    run = project.run("wild.py:wild")
    verdict = project.command("reproduce", run["run_id"], status=2)["reproduction"]
    assert verdict["verdict"] == "diverged"
    assert [one["name"] for one in verdict["differences"]] == [f"fit_{name}" for name in wild]
    assert verdict["causes"] == []


def test_a_changed_package_is_named(project: Project) -> None:
    """The program tells which release of a package it ran with, so another release diverges, and the cause is named."""
    project.write(by_release=pipeline("release", "release"))
    run = project.run("by_release.py:release")
    done = project.command("reproduce", run["run_id"], "--with", "cronsim==2.6", status=2)["reproduction"]
    assert done["verdict"] == "diverged"
    package = next(cause for cause in done["causes"] if cause["kind"] == "package")
    assert (package["name"], package["now"]) == ("cronsim", "2.6")
    assert re.fullmatch(r"[\d.]+", package["was"])
    assert project.get(f"{RUNS}/{done['rerun_id']}")["origin"] == "reproduce"


def test_what_no_run_made_is_refused(project: Project) -> None:
    assert "models:/linear/9" in project.command("reproduce", "models:/linear/9", status=1)
    assert "nobody" in project.command("reproduce", "endpoints:/nobody", status=1)
    assert "no pipeline run" in project.command("reproduce", "0" * 32, status=1)
    assert "names nothing" in project.command("reproduce", "runs:/x/model", status=1)
