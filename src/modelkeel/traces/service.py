"""The service of traces."""

from modelkeel.traces.assessing import Assessing
from modelkeel.traces.importing import Importing
from modelkeel.traces.importing_evaluation import ImportingEvaluation
from modelkeel.traces.logging import Logging
from modelkeel.traces.reading import Reading


class Traces(Logging, Reading, Assessing, Importing, ImportingEvaluation):
    """Use cases of traces: log and read them, tag and delete them, say what they are worth and by which examples."""
