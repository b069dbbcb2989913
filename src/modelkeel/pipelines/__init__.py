"""Pipeline runs, the step cache, launched runs and reproduction."""
