"""`python -m modelkeel`."""

from modelkeel.cli import main

main()
