"""Where the embedded servers keep their files, who owns them, and what is said when that does not work."""

import errno
import hashlib
import os
import pwd
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

BASE_DIR = Path(__file__).resolve().parent.parent.parent.parent
# A UNIX socket's path may take 107 bytes on Linux and 103 on macOS.
MAX_SOCKET_PATH = 103
MIN_FREE_MB = 100
SYSTEM_USER = "pgserver"


class EmbeddedServiceError(Exception):
    """An embedded server cannot be used. The message is one line that says why and what to do."""


def var_dir() -> Path:
    """The directory for everything that the site writes: `VAR_DIR`, relative to the project, or `var`."""
    return BASE_DIR / (os.environ.get("VAR_DIR") or "var")


def own_dir(var: Path) -> None:
    """Make `var`, or close one that an older version left open: reset links and what people do are in its logs.

    As root the servers' account has to pass through it to its own directories, and nobody else can.
    """
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = var.stat()
    if os.geteuid() not in (0, found.st_uid):
        return  # somebody else's, who decides who may enter
    account = server_account()
    if account and found.st_gid != account[1]:
        os.chown(var, -1, account[1])
    var.chmod(0o710 if account else 0o700)


def append_private(path: Path) -> IO[bytes]:
    """A log file to append to, which only its owner reads, also where an older version made it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


def socket_dir(directory: Path, socket_name: str) -> Path:
    """The directory of a server's socket: its own, or a short one below /tmp where that path is too long."""
    if len(os.fsencode(directory / socket_name)) <= MAX_SOCKET_PATH:
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path("/tmp") / f"recsite-{digest}"  # noqa: S108  short on every system; `private_dir` checks its owner


@contextmanager
def explained(var: Path) -> Iterator[None]:
    """Turn what the file system refuses into an `EmbeddedServiceError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise EmbeddedServiceError(
                f"{error.filename or var} is not writable ({error.strerror}): run as the owner of {var}, "
                "or set VAR_DIR to a directory that you can write to."
            ) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EmbeddedServiceError(_no_space(var)) from error
        raise


def check_free_space(var: Path) -> None:
    """Raise `EmbeddedServiceError` when the disk is too full to start a server."""
    disk = os.statvfs(var)
    if disk.f_bavail * disk.f_frsize < MIN_FREE_MB * 2**20:
        raise EmbeddedServiceError(_no_space(var))


def _no_space(var: Path) -> str:
    return f"The disk of {var} is full: free at least {MIN_FREE_MB} MB, or set VAR_DIR to another disk."


@cache
def server_account() -> tuple[int, int] | None:
    """User and group id that the servers run as, or None for our own: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        try:
            subprocess.run(["useradd", "--system", SYSTEM_USER], check=True, capture_output=True)  # noqa: S603, S607
        except (OSError, subprocess.CalledProcessError) as error:
            raise EmbeddedServiceError(
                "PostgreSQL does not run as root, and a user for it could not be made: run "
                f"`useradd --system {SYSTEM_USER}`, run as another user, or set DATABASE_URL and REDIS_URL."
            ) from error
        entry = pwd.getpwnam(SYSTEM_USER)
    return entry.pw_uid, entry.pw_gid


def private_dir(path: Path) -> None:
    """Make `path` a directory that only the servers' account (and root) can enter."""
    account = server_account() or (os.geteuid(), os.getegid())
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), account[0]):
            raise EmbeddedServiceError(
                f"{path} belongs to another user: run as that user, or set VAR_DIR to a directory of yours."
            ) from None
    if path.stat().st_uid != account[0]:
        os.chown(path, *account)
    path.chmod(0o700)


def let_in(path: Path, *, tree: bool = False) -> None:
    """As root, let the servers' account reach `path` and, with `tree`, read and run what is below it.

    Only what is missing is given: search permission on directories, never a listing of anybody's home.
    """
    account = server_account()
    if account is None:
        return
    for parent in path.parents:
        found = parent.stat()
        if found.st_gid != account[1] or not found.st_mode & stat.S_IXGRP:  # else `own_dir` let it in already
            _add_mode(parent, stat.S_IXOTH)
    for child in (path, *path.rglob("*")) if tree else ():
        if not child.is_symlink():
            executable = child.stat().st_mode & stat.S_IXUSR
            _add_mode(child, stat.S_IROTH | (stat.S_IXOTH if executable else 0))


def _add_mode(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(stat.S_IMODE(mode) | bits)
