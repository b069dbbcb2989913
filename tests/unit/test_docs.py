"""Documentation examples are true: Python ones run, TOML ones are read by what reads them, links lead somewhere."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from modelkeel.governance.policy import parse
from modelkeel.monitoring.config import MonitorConfig
from modelkeel.serving.models import RolloutPolicy

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "examples/flights/README.md"])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def _blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        blocks = FENCE.findall(page.read_text())
        found += [(f"{page.relative_to(ROOT)}", text) for kind, text in blocks if kind == language]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_python_in_the_pipelines_guide_runs(tmp_path: Path):
    code = [text for page, text in _blocks("python") if page == "docs/guides/pipelines.md"]
    assert code
    script = tmp_path / "guide.py"
    script.write_text("\n".join(code))
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path)


def test_toml_is_what_the_server_reads():
    read = 0
    for _, text in _blocks("toml"):
        tables = tomllib.loads(text)
        for policy in tables.get("gates", {}).values():
            parse(policy)
        for policy in tables.get("rollouts", {}).values():
            msgspec.convert(policy, RolloutPolicy)
        for config in tables.get("monitors", {}).values():
            msgspec.convert(config, MonitorConfig).check()
        read += 1
    assert read >= 2


def test_every_command_in_the_readme_exists():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"modelkeel ([a-z][a-z-]+)", "\n".join(t for _, t in FENCE.findall(text))))
    done = subprocess.run([sys.executable, "-m", "modelkeel", "--help"], capture_output=True, text=True, check=True)
    assert {name for name in named if name not in done.stdout} == set()


def test_the_reference_is_what_the_code_says():
    done = subprocess.run(
        [sys.executable, "-c", "import json, generate; print(json.dumps(generate.pages()))"],
        cwd=ROOT / "docs",
        check=True,
        capture_output=True,
        text=True,
    )
    old = [name for name, text in json.loads(done.stdout).items() if _read(ROOT / "docs/reference" / name) != text]
    assert old == [], "The reference is old: run `make docs` and commit docs/reference."


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
