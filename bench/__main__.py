"""`python -m bench [NAME …] [--options]`: runs the benchmarks, each in a process of its own, one JSON line a figure."""

import subprocess
import sys
from pathlib import Path

OTHERS = {"__init__", "__main__", "peers", "servers", "serving_peers"}


def main() -> None:
    """Runs all, or those that are named; options go to every one of them."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in OTHERS)
    options = [word for word in sys.argv[1:] if word.startswith("-")]
    named = [word for word in sys.argv[1:] if not word.startswith("-")]
    unknown = sorted(set(named) - set(known))
    if unknown:
        sys.exit(f"No benchmark {', '.join(unknown)}. There are: {', '.join(known)}.")
    for name in named or known:
        if subprocess.run([sys.executable, "-m", f"bench.{name}", *options], check=False).returncode:
            sys.exit(f"bench.{name} failed")


if __name__ == "__main__":
    main()
