"""Tracking as others use it: one facade over the use cases, each kept in a file of its own."""

from modelkeel.tracking.code import RunCode
from modelkeel.tracking.experiments import Experiments
from modelkeel.tracking.exporting import Exporting
from modelkeel.tracking.folding import Folding
from modelkeel.tracking.holds import Holds
from modelkeel.tracking.importing import Importing
from modelkeel.tracking.logged_models import LoggedModels
from modelkeel.tracking.metrics import Metrics
from modelkeel.tracking.reading import Reading
from modelkeel.tracking.seal import Seals
from modelkeel.tracking.uploads import Uploads


class Tracking(
    Experiments, Importing, Uploads, Metrics, Reading, Folding, Exporting, Holds, RunCode, LoggedModels, Seals
):
    """Experiments, runs, series, artifacts and logged models of an installation."""
