"""Request and response types shared by the SDK, the prediction runtime and the server."""
