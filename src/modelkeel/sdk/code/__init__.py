"""The digest of a step's code and of the project code it calls."""

from modelkeel.sdk.code.walk import reached_code

__all__ = ["reached_code"]
