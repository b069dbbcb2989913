"""Moving in and out, on the client's side: read a source, send what a server does not have."""
