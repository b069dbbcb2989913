"""Monitoring's tables and all the SQL that touches them, one module a subject."""

from modelkeel.monitoring.store import alerts, log, tables, windows

__all__ = ["alerts", "log", "tables", "windows"]
