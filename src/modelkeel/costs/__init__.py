"""What it costs: prices, metering of what has no meter of its own, and the bill."""
