"""`make audit`: known vulnerabilities in what the lock file names.

It fails where a vulnerability is known that is not reasoned away below. It does not fail for want of a network: then it
says what was not looked up, and the list has to be checked from where the service can be reached.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path("requirements/dev.txt")
SERVICES = ("pypi", "osv")
REASONED: dict[str, str] = {}
"""Identifiers of vulnerabilities that do not concern us, each with the reason and until when it holds."""


def look_up(service: str) -> list[dict[str, Any]] | None:
    """Every package of the lock file with what a service knows of it; None: the service could not be asked."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--requirement", str(LOCK), "--require-hashes"]
    command += ["--disable-pip", "--progress-spinner", "off", "--format", "json", "--vulnerability-service", service]
    try:
        done = subprocess.run([*command, "--timeout", "10"], capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return None
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:  # it ended with a traceback: no network, or none to this service
        return None
    return found


def main() -> int:
    """Asks one service after the other until one has answered."""
    for service in SERVICES:
        packages = look_up(service)
        audited = [package for package in packages or [] if "skip_reason" not in package]
        if not audited:
            print(f"{service}: could not be asked about any package.")
            continue
        found = [(package, each) for package in audited for each in package["vulns"]]
        open_ones = [(package, each) for package, each in found if not REASONED.keys() & {each["id"], *each["aliases"]}]
        for package, each in open_ones:
            fixed = ", ".join(each["fix_versions"]) or "no fix yet"
            where = f"{package['name']} {package['version']}"
            print(f"{where}: {each['id']} ({', '.join(each['aliases'])}); fixed in {fixed}")
        asked = f"{len(audited)} packages of {len(packages or [])} asked about"
        print(f"{service}: {asked}, {len(open_ones)} vulnerabilities.")
        return 1 if open_ones else 0
    print(
        f"NOT AUDITED: no vulnerability service can be reached from here. {LOCK} was read, and nothing else was done."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
