"""Runs the consumer tests, each suite in its trainer's own environment, and prints a table.

    go run ./export/fixture out/trainers
    python3 trainers/run.py out/trainers [SUITE...]

A suite whose packages cannot be installed here is skipped, with the reason. The exit code
is 1 if a test failed or if no suite ran.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Suite:
    name: str  # folder in tests
    environment: str  # file in requirements
    package: str  # whose version the table shows


SUITES = [
    Suite("formats", "trl", "datasets"),
    Suite("trl", "trl", "trl"),
    Suite("atropos", "atropos", "atroposlib"),
    Suite("verl", "verl", "verl"),
    Suite("openrlhf", "openrlhf", "openrlhf"),
    Suite("skyrl", "skyrl", "skyrl"),
    Suite("areal", "areal", "areal"),
]

# Formats whose trainers cannot be installed: the suite formats checks their fields by name.
BY_NAME = {"slime": "not in the package index", "verl-agent": "not in the package index"}


@dataclass(frozen=True)
class Result:
    suite: Suite
    version: str
    verdict: str
    ran: bool = False
    failed: bool = False


def run(suite: Suite, fixture: Path) -> Result:
    prepared = subprocess.run(
        [HERE.parent / "scripts" / "trainers-venv", suite.environment], stdout=subprocess.PIPE, text=True
    )
    if prepared.returncode != 0:
        return Result(suite, "-", "SKIPPED: its packages cannot be installed here, see above")
    python = Path(prepared.stdout.strip()) / "bin" / "python"
    version = subprocess.run(
        [python, "-c", f"import importlib.metadata as m; print(m.version('{suite.package}'))"],
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()
    report = fixture / f"{suite.name}.xml"
    report.unlink(missing_ok=True)
    print(f"sparkd: {suite.name} ({suite.package} {version})", file=sys.stderr, flush=True)
    subprocess.run(
        [
            python,
            "-m",
            "pytest",
            "-q",
            "-rs",
            "--no-header",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
            f"tests/{suite.name}",
        ],
        cwd=HERE,
        env=os.environ | OFFLINE | {"SPARKD_FIXTURE": str(fixture)},
    )
    if not report.exists():
        return Result(suite, version, "FAILED: pytest did not run", failed=True)
    return verdict(suite, version, ElementTree.parse(report).getroot())


# No test talks to anything but its own machine.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "WANDB_MODE": "disabled",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def verdict(suite: Suite, version: str, report: ElementTree.Element) -> Result:
    cases = report.findall(".//testcase")
    failed = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    skipped = [c.find("skipped").get("message", "") for c in cases if c.find("skipped") is not None]
    passed = len(cases) - len(failed) - len(skipped)
    parts = [f"{len(failed)} FAILED"] * bool(failed) + [f"{passed} passed"]
    parts += [f"SKIPPED: {reason}" for reason in dict.fromkeys(skipped)]
    return Result(suite, version, ", ".join(parts), ran=passed > 0, failed=bool(failed) or not cases)


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    fixture, names = Path(sys.argv[1]).resolve(), sys.argv[2:]
    if unknown := set(names) - {s.name for s in SUITES}:
        print(
            f"unknown suite {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in SUITES)}",
            file=sys.stderr,
        )
        return 2
    results = [run(s, fixture) for s in SUITES if not names or s.name in names]
    print(f"\n{'suite':10} {'package':12} {'version':9} result")
    for r in results:
        print(f"{r.suite.name:10} {r.suite.package:12} {r.version:9} {r.verdict}")
    for name, reason in BY_NAME.items():
        print(f"{name:10} {'-':12} {'-':9} package not tested: {reason}; its fields are checked by name in formats")
    if not any(r.ran for r in results):
        print("nothing was tested", file=sys.stderr)
        return 1
    return int(any(r.failed for r in results))


if __name__ == "__main__":
    sys.exit(main())
