"""What starts pipelines without a person: a clock, the ledger, new data, a signed call."""
