"""OpenTelemetry's protocol over HTTP: spans as any exporter sends them."""
