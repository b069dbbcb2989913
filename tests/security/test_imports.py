"""What a whole class of holes needs to exist is imported at few places, each with its reason."""

import ast
from pathlib import Path

import pytest

import modelkeel

ROOT = Path(modelkeel.__file__).parent
# Packages by what they open, and the modules (or folders) that may import them.
RULES: dict[str, tuple[set[str], dict[str, str]]] = {
    "loads code with data (CVE-2024-37052 to 37061)": (
        {"pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve", "torch", "jsonpickle"},
        {
            "sdk/values/pickled.py": "results of the user's own steps, in the user's own process",
            "sdk/running/task.py": "a step's own exception, from a process of the user's that runs the same code",
            "sdk/running/child.py": "makes sure that such an exception can be read before it is sent",
            "sdk/reproducing/meaning.py": "compares two models in the process of who reproduces, which confines it",
        },
    ),
    "calls an address (CVE-2023-6974, CVE-2025-52967)": (
        {"httpx", "httpcore", "requests", "urllib3", "aiohttp", "http.client", "urllib.request", "ftplib", "smtplib"},
        {
            "http/outgoing.py": "the server's one client: refuses private networks, redirects into them, rebinding",
            "adapters.py": "asks the server's own prediction processes, at the address that it gave them itself",
            "identity/oidc.py": "names the one client's answers and errors; sends by it",
            "cli/": "the user's own commands call the user's own server",
            "sdk/": "the user's own process calls the user's own server",
        },
    ),
    "unpacks an archive (CVE-2007-4559, CVE-2023-6975)": (
        {"tarfile", "zipfile", "shutil.unpack_archive", "gzip", "bz2", "lzma"},
        {
            "core/paths.py": "the one place that lays an archive's members",
            "ledger/routes.py": "packs an export; unpacks nothing",
            "sdk/capture/": "packs the user's own files; unpacks nothing",
        },
    ),
    "reads a document that may do more than say something (CVE-2013-0156, CVE-2017-18342)": (
        {"xml", "lxml", "yaml", "jinja2", "mako", "string.Template"},
        {
            "registry/mlmodel.py": "reads a model's description: data only, small and shallow",
        },
    ),
}


def _imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found | {name.partition(".")[0] for name in found}


@pytest.mark.parametrize("rule", RULES)
def test_only_named_modules_import_what(rule: str):
    packages, allowed = RULES[rule]
    importers = {str(f.relative_to(ROOT)) for f in ROOT.rglob("*.py") if _imports(f) & packages}
    strangers = {file for file in importers if not file.startswith(tuple(allowed))}
    assert strangers == set(), f"{rule}: name the module here with the reason, or do it where it is done already"
    assert all(any(file.startswith(place) for file in importers) for place in allowed), "a line is not needed any more"


def test_yaml_is_read_by_the_safe_loader_only():
    """CVE-2017-18342: `yaml.load` makes any object."""
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml":
                unsafe = {"load", "load_all", "full_load", "unsafe_load", "Loader", "FullLoader", "UnsafeLoader"}
                assert node.attr not in unsafe, f"{file}:{node.lineno}"
