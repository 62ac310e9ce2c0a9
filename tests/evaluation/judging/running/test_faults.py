"""Everything fails at once, and every list is judged once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import processes

pytestmark = pytest.mark.process


def test_600_judgements_through_a_failing_judge_a_killed_worker_and_a_restart_of_valkey(tmp_path: Path) -> None:
    """On servers of its own, because all other tests use the shared ones."""
    script = (
        "import tests.environment, django; django.setup()\n"
        "from tests.evaluation.judging.running import faults_scenario; faults_scenario.main()"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environment.pop("PYTEST_XDIST_WORKER", None)
    environment |= {"VAR_DIR": str(tmp_path / "var"), "DJANGO_SETTINGS_MODULE": "recsite.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=processes.BASE_DIR, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert done.stdout.endswith("600 judgements\n")
