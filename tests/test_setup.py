"""Setting up a fresh machine: `scripts/setup.py` and the compiled requirement files that it installs."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FILES = ("requirements", "requirements-dev")


def compiled_versions() -> dict[str, str]:
    """The version of each package that the compiled files pin for this Python and system, by its canonical name."""
    lines = [line for name in FILES for line in (ROOT / f"{name}.txt").read_text().splitlines()]
    pins = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"^[A-Za-z0-9].*==", line)]
    used = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in used}


def test_compiled_files_name_every_requirement_of_every_package() -> None:
    versions = compiled_versions()
    asked = [
        Requirement(line)
        for name in FILES
        for line in (ROOT / f"{name}.in").read_text().splitlines()
        if re.match(r"^[A-Za-z0-9]", line)
    ]
    seen: set[tuple[str, frozenset[str]]] = set()
    missing = []
    while asked:
        wanted = asked.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen or not _applies(wanted, {""}):
            continue
        seen.add((name, extras))
        if name not in versions or not wanted.specifier.contains(versions[name], prereleases=True):
            missing.append(f"{wanted} (pinned: {versions.get(name)})")
            continue
        needs = map(Requirement, metadata.requires(name) or [])
        asked += [need for need in needs if _applies(need, extras or {""})]
    assert missing == []
    assert len(seen) > 150, "the walk has met the packages of both files"


def _applies(requirement: Requirement, extras: "set[str] | frozenset[str]") -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in {*extras, ""})


def wheel(folder: Path, name: str, version: str, *requires: str) -> str:
    """Write a wheel that holds nothing, and return its line for a requirements file: the pin with its hash."""
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Provides-Extra: more"]
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": "\n".join([*lines, *(f"Requires-Dist: {need}" for need in requires)]) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two packages. A newer release of the one is in the index, and the other asks for an extra of it."""
    index = tmp_path / "index"
    index.mkdir()
    base = wheel(index, "nakama_base", "1.0")
    wheel(index, "nakama_base", "2.0")
    user = wheel(index, "nakama_user", "1.0", "nakama_base[more]>=1.0")
    root = tmp_path / "project"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup.py", root / "scripts")
    (root / "requirements.txt").write_text(base + user)
    return root


def set_up(project: Path) -> "subprocess.CompletedProcess[str]":
    index = str(project.parent / "index")
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": index, "PIP_CONFIG_FILE": os.devnull}
    command = [sys.executable, "scripts/setup.py"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


def test_a_newer_release_in_the_index_does_not_break_the_set_up(project: Path) -> None:
    done = set_up(project)
    assert done.returncode == 0, done.stdout + done.stderr
    installed = {path.name for path in (project / ".venv").glob("lib/python*/site-packages/nakama_*.dist-info")}
    assert installed == {"nakama_base-1.0.dist-info", "nakama_user-1.0.dist-info"}


def test_the_virtual_environment_may_be_a_symbolic_link(project: Path) -> None:
    elsewhere = project.parent / "elsewhere"
    subprocess.run([sys.executable, "-m", "venv", elsewhere], check=True)
    (project / ".venv").symlink_to(elsewhere)
    assert set_up(project).returncode == 0
    assert (project / ".venv").resolve() == elsewhere
    assert list(elsewhere.glob("lib/python*/site-packages/nakama_user-1.0.dist-info"))
    assert set_up(project).stdout == "", "nothing is left to do the second time"


def test_a_package_that_the_compiled_file_lacks_is_named(project: Path) -> None:
    requirements = project / "requirements.txt"
    requirements.write_text(requirements.read_text().splitlines()[1] + "\n")
    done = set_up(project)
    assert done.returncode == 1
    assert "nakama-base" in done.stderr.replace("_", "-")
    assert "make requirements" in done.stderr
