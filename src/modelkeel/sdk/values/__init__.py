"""Typed artifacts: how a step's result becomes bytes with a digest, and bytes become the same result again."""

from modelkeel.sdk.values.codec import Content, Encoded, Fetch, decode, encode
from modelkeel.sdk.values.handlers import Handler, artifact

__all__ = ["Content", "Encoded", "Fetch", "Handler", "artifact", "decode", "encode"]
