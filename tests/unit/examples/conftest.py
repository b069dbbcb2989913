"""Makes the flat modules of the example importable, as `python story.py` does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "flights"))
