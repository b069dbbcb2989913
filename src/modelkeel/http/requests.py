"""How requests are read from the wire: uvicorn's reader, without the forms that only proxies and attackers send."""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class PlainRequests(HttpToolsProtocol):
    """Answers 400 where a request names its own host (`GET http://host/ …`) besides the header `Host`.

    Such a host would count above `Host` (RFC 9112, section 3.2.2), but no application behind uvicorn ever sees it.
    """

    def on_headers_complete(self) -> None:
        """Judges the target before anything is done with the request."""
        if not self.url.startswith(b"/"):
            raise httptools.HttpParserError("a target is a path")
        super().on_headers_complete()
