"""OpenLineage 2-0-2: runs, jobs and data sets told to any backend that speaks it (https://openlineage.io/spec)."""
