"""Every route of the MLflow protocol that may change something says what it writes."""

from litestar.routes import HTTPRoute

from modelkeel.app import Keel, create_app

READS = {"experiments/search", "runs/search", "logged-models/search", "registered-models/get-latest-versions"}


async def test_every_changing_route_is_declared(keel: Keel) -> None:
    seen = 0
    for route in create_app(keel).routes:
        if not isinstance(route, HTTPRoute) or "/mlflow" not in route.path:
            continue
        for handler in route.route_handlers:
            changing = handler.http_methods - {"GET", "OPTIONS", "HEAD"}
            reads = any(route.path.endswith(name) for name in READS)
            assert bool(handler.opt.get("writes")) == (bool(changing) and not reads) or "rest" in route.path, route.path
            assert handler.opt.get("writes", "record") in {"record", "measurement", "nothing"}
            seen += bool(changing)
    assert seen > 80
