"""What a web process brings into memory."""

import subprocess
import sys

import pytest

from recsite import embedded

HEAVY = ("flax", "jax", "jaxlib", "openai", "optax", "pandas", "sklearn")


@pytest.mark.process
def test_web_process_imports_no_numerics_beyond_numpy() -> None:
    script = (
        "import sys, recsite.wsgi\n"
        "from django.urls import get_resolver\n"
        "assert get_resolver().url_patterns\n"
        "print(*sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=embedded.BASE_DIR)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert "numpy" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.process
def test_a_request_takes_one_thread_of_the_machine() -> None:
    script = (
        "import recsite.gunicorn_config, recsite.wsgi, threadpoolctl\n"
        "print(*(pool['num_threads'] for pool in threadpoolctl.threadpool_info()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=embedded.BASE_DIR)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"1"}
