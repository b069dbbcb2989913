"""What users import: the client, steps and pipelines, capture, reproduction."""
