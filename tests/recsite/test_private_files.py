"""Nobody else on the machine reads what the site writes below `var`."""

import os
import stat
from pathlib import Path

from recsite.local import embedded
from recsite.local.embedded import files
from recsite.local.supervisor import Supervisor


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_var_is_made_private_and_an_older_one_is_closed(tmp_path: Path) -> None:
    made, older = tmp_path / "made", tmp_path / "older"
    older.mkdir(mode=0o755)
    older.chmod(0o755)
    for var in (made, older):
        embedded.own_dir(var)
        # As root the group is that of the embedded servers' account, which passes through and lists nothing.
        account = files.server_account()
        assert mode(var) == (0o710 if account else 0o700)
        assert account is None or var.stat().st_gid == account[1]


def test_the_servers_account_opens_nothing_that_it_passes_through_already(tmp_path: Path) -> None:
    var = tmp_path / "var"
    embedded.own_dir(var)
    (var / "postgres").mkdir()
    before = mode(var)
    files.let_in(var / "postgres")
    assert mode(var) == before


def test_logs_are_their_owners_also_those_of_older_versions(tmp_path: Path) -> None:
    older = tmp_path / "older.log"
    older.write_text("before\n")
    older.chmod(0o644)
    with Supervisor(tmp_path, lambda text: None) as supervisor:
        for name in ("older", "new"):
            supervisor.start(name, ["python", "-c", "pass"])
        assert {mode(tmp_path / f"{name}.log") for name in ("older", "new")} == {0o600}
    assert older.read_text().startswith("before\n")
    assert os.access(older, os.R_OK)
