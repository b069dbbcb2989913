"""Modelkeel: the whole life of a machine-learning model in one place."""

from modelkeel.version import __version__

__all__ = ["__version__"]
