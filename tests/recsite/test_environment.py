"""`.env.example` and the code name the same variables."""

import re

from recsite.local import embedded

# Read from the process's own environment for other reasons than configuring the site.
NOT_OURS = {"PATH", "PROMETHEUS_MULTIPROC_DIR"}


def test_every_variable_is_documented_and_every_documented_one_is_read() -> None:
    documented = re.findall(r"^#?([A-Z][A-Z_]*)=", (embedded.BASE_DIR / ".env.example").read_text(), re.MULTILINE)
    code = "\n".join(path.read_text() for path in (embedded.BASE_DIR / "recsite").rglob("*.py"))
    read = set(re.findall(r"\benv\.[a-z_]+\(\s*\"([A-Z_]+)\"", code))
    read |= set(re.findall(r"os\.environ(?:\.get\(|\[)\"([A-Z_]+)\"", code))
    assert len(documented) == len(set(documented))
    assert set(documented) == read - NOT_OURS


def test_the_example_sets_nothing() -> None:
    lines = (embedded.BASE_DIR / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
