"""Make `.venv` and install the pinned requirements: `python scripts/setup.py [--dev]`. Quiet when nothing is to do.

Needs nothing but Python: it runs before anything is installed.
"""
# ruff: noqa: S603, T201  it runs our own commands, and a terminal is what it talks to

import argparse
import fcntl
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PIP: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check"]
LOG = ROOT / "var" / "log" / "setup.log"


def main() -> None:
    """Install what is missing; exit with one line that says what to do when that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also what tests and checks need")
    names = ["requirements.txt", *(["requirements-dev.txt"] if parser.parse_args().dev else [])]
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with (ROOT / "var" / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = VENV / "installed"
        done = stamp.read_text().splitlines() if stamp.exists() else []
        if not works():
            make_venv()
            done = []
        for name in names:
            wanted = f"{name} {hashlib.sha256((ROOT / name).read_bytes()).hexdigest()}"
            if wanted not in done:
                install(name)
                done = [line for line in done if line.split()[0] != name] + [wanted]
                stamp.write_text("\n".join(done))


def works() -> bool:
    """Whether `.venv`, or what it links to, is whole and lies where it was made: copied, it starts another Python."""
    config = VENV / "pyvenv.cfg"
    if not config.exists() or not any(str(path) in config.read_text() for path in (VENV, VENV.resolve())):
        return False
    if Path(sys.prefix).resolve() == VENV.resolve():  # this is its Python
        return True
    return PYTHON.exists() and subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0


def make_venv() -> None:
    """Make an empty virtual environment in place of a broken one. A broken link goes; what it leads to stays."""
    start = time.monotonic()
    if VENV.is_symlink():
        VENV.unlink()
    shutil.rmtree(VENV, ignore_errors=True)
    base = getattr(sys, "_base_executable", sys.executable)
    made = subprocess.run([base, "-m", "venv", VENV], capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        reason = (made.stdout + made.stderr).strip().splitlines() or ["python -m venv failed."]
        sys.exit(f"error: {reason[0]} On Debian and Ubuntu, `apt-get install python3-venv` brings what is missing.")
    report("Python", f"{platform.python_version()} in .venv", start)


def install(name: str) -> None:
    """Install one requirements file, hashes checked, counting the packages.

    The compiled files name every package, so pip resolves nothing (`--no-deps`): its resolver leaves a pinned release,
    and the hashes, as soon as there is a newer one of a package that another asks for with an extra. `pip check` then
    holds that nothing is missing.
    """
    start = time.monotonic()
    total = len(re.findall(r"^[A-Za-z0-9].*==", (ROOT / name).read_text(), re.MULTILINE))
    before = installed()
    if not sys.stdout.isatty():
        print(f"  Packages: {total} from {name}, which takes some minutes …", flush=True)
    with LOG.open("w") as log:
        process = subprocess.Popen(
            [*PIP, "install", "--no-deps", "--require-hashes", "-r", name],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None:
            fetched = len(re.findall(r"^(?:Collecting|Requirement already)", LOG.read_text(), re.MULTILINE))
            if sys.stdout.isatty():
                share = f"{fetched} of up to {total} fetched, {installed() - before} installed"
                print(f"\r  Packages: {share} …\033[K", end="", flush=True)
            time.sleep(0.3)
    if process.returncode:
        errors = [line for line in LOG.read_text().splitlines() if line.startswith("ERROR")]
        sys.exit(f"\nerror: {name} could not be installed. {' '.join(errors[:1])} The whole story is in {LOG}.")
    check = subprocess.run([*PIP, "check"], capture_output=True, text=True)
    if check.returncode:
        faults = "; ".join(check.stdout.splitlines()[:3])
        sys.exit(f"\nerror: {name} does not fit together: {faults}. Compile it again with `make requirements`.")
    report("Packages", f"{name} installed", start)


def installed() -> int:
    """How many packages `.venv` holds."""
    return len(list(VENV.glob("lib/python*/site-packages/*.dist-info")))


def report(title: str, detail: str, start: float) -> None:
    """The line for a step that worked, as `manage.py up` writes them."""
    erase = "\r\033[K" if sys.stdout.isatty() else ""
    print(f"{erase}✓ {title:<12} {detail} ({time.monotonic() - start:.1f} s)", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; the next run goes on from here.")
    except OSError as error:
        sys.exit(f"error: {error.filename or ROOT}: {error.strerror}. The project's directory must be writable.")
