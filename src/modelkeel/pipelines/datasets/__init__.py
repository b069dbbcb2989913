"""Data sets: named, versioned, with schema, statistics, owner and retention."""
