"""The container files: valid, hardened, and starting what `manage.py up` starts. No Docker engine is needed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from recsite.local import embedded, processes

DOCKER = embedded.BASE_DIR / "docker"
PROGRAMS = Path(sys.prefix) / "bin"
STORES = {"postgres", "valkey"}
# Set by the image, or of no use in a container.
NOT_PASSED_ON = {"ARTIFACTS_DIR", "DATASET", "DATASETS_DIR", "DEBUG", "HOST", "PORT", "VAR_DIR"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def sites(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    return {name: service for name, service in compose["services"].items() if name not in STORES}


def validate(compose_file: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(PROGRAMS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(compose_file)]
    return subprocess.run(command, capture_output=True, text=True)


def test_compose_file_follows_the_compose_schema(tmp_path: Path) -> None:
    done = validate(DOCKER / "compose.yaml")
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "compose.yaml"
    broken.write_text((DOCKER / "compose.yaml").read_text().replace("shm_size:", "shm_sice:"))
    assert "shm_sice" in validate(broken).stdout


@pytest.mark.skipif(not (PROGRAMS / "hadolint").exists(), reason="hadolint has no package for this machine")
def test_dockerfile_passes_hadolint() -> None:
    done = subprocess.run([PROGRAMS / "hadolint", DOCKER / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_containers_start_what_up_starts(sites: dict[str, dict[str, Any]]) -> None:
    started = {name: tuple(service["command"]) for name, service in sites.items() if name != "migrate"}
    assert started == processes.COMMANDS
    image_command = re.search(r"^CMD (\[.*\])$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert image_command
    assert tuple(yaml.safe_load(image_command[1])) == processes.COMMANDS["web"]


def test_image_installs_as_make_does() -> None:
    assert "RUN python scripts/setup.py\n" in (DOCKER / "Dockerfile").read_text()
    assert "exec $$python scripts/setup.py $(1)" in (embedded.BASE_DIR / "Makefile").read_text()


def test_containers_get_every_documented_variable(sites: dict[str, dict[str, Any]]) -> None:
    documented = re.findall(r"^#?([A-Z][A-Z_]*)=", (embedded.BASE_DIR / ".env.example").read_text(), re.MULTILINE)
    for service in sites.values():
        passed_on = set(service["environment"])
        assert passed_on == set(documented) - NOT_PASSED_ON


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (DOCKER / "compose.yaml").read_text()
    for secret in ("SECRET_KEY", "POSTGRES_PASSWORD", "ALLOWED_HOSTS"):
        uses = re.findall(rf"\$\{{{secret}(.{{2}})", text)
        assert uses
        assert set(uses) == {":?"}


def test_containers_are_confined(compose: dict[str, Any], sites: dict[str, dict[str, Any]]) -> None:
    for service in sites.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "privileged" not in service
    for name in STORES:
        assert "ports" not in compose["services"][name]
        assert compose["services"][name]["networks"] == ["stores"]
    assert compose["networks"]["stores"]["internal"]
    users = re.findall(r"^USER (.+)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert users == ["10001"]


def test_image_takes_in_no_secret_and_no_data() -> None:
    rules = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    assert all((embedded.BASE_DIR / name).exists() for name in kept)
    assert kept.isdisjoint({".env", ".git", ".venv", "var", "tests"})


@pytest.mark.process
def test_healthcheck_tells_a_site_that_answers_from_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "anime.example.org")
    script = (
        "import http.server, os, subprocess, sys, threading\n"
        "class Site(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        known = (self.path, self.headers['Host']) == ('/healthz', 'anime.example.org')\n"
        "        self.send_response(200 if known else 400); self.end_headers()\n"
        "site = http.server.HTTPServer(('127.0.0.1', 0), Site)\n"
        "os.environ['PORT'] = str(site.server_port)\n"
        "threading.Thread(target=site.serve_forever, daemon=True).start()\n"
        "check = [sys.executable, sys.argv[1]]\n"
        "up = subprocess.run(check).returncode\n"
        "os.environ['ALLOWED_HOSTS'] = 'other.example.org'\n"
        "refused = subprocess.run(check).returncode\n"
        "site.server_close(); site.shutdown()\n"
        "print(up, refused, subprocess.run(check, stderr=subprocess.DEVNULL).returncode)"
    )
    check = [sys.executable, "-c", script, str(DOCKER / "healthcheck.py")]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60)
    assert done.stdout == "0 1 1\n", done.stderr


def test_programs_of_the_container_files_are_installed() -> None:
    for command in processes.COMMANDS.values():
        assert shutil.which(command[0], path=str(PROGRAMS))
