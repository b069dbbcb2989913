"""Tracking as others use it: one facade over the use cases, each kept in a file of its own."""

from modelkeel.tracking.experiments import Experiments
from modelkeel.tracking.logged_models import LoggedModels
from modelkeel.tracking.metrics import Metrics
from modelkeel.tracking.seal import Seals
from modelkeel.tracking.uploads import Uploads


class Tracking(Experiments, Metrics, Uploads, LoggedModels, Seals):
    """Experiments, runs, series, artifacts and logged models of an installation."""
