"""Identifiers: UUIDv7 (RFC 9562, section 5.7) for our own things, MLflow's forms for runs and experiments."""

import os
import secrets
import time


def uuid7(now_ms: int | None = None) -> str:
    """A new UUIDv7: 48 bits of milliseconds, then random bits, so ids sort by creation time.

    Args:
        now_ms: milliseconds since 1970; the system clock's by default.
    """
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    value = (ms & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def run_id() -> str:
    """A new run id: 32 hexadecimal digits, as the `mlflow` client expects."""
    return secrets.token_hex(16)


def experiment_id() -> str:
    """A new experiment id: a random decimal of 18 digits, never `0`."""
    return str(10**17 + secrets.randbelow(9 * 10**17))
