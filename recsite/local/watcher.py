"""Ends the site's processes when `manage.py up` was killed and could not do so itself.

Run as a script by `recsite.local.supervisor`, which sends the number of each process group that it starts. When the
supervisor is gone, however it went, its end of the pipe is closed, and the groups are ended.
"""

import os
import signal
import sys
import time
from contextlib import suppress

GRACE_S = 10


def send(group: int, number: int) -> bool:
    """Send a signal to a process group; whether there was one."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    """Read `+GROUP` and `-GROUP` lines until the pipe closes, then end the groups that are left."""
    groups: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            groups.add(int(line[1:]))
        else:
            groups.discard(int(line[1:]))
    for group in groups:
        send(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while groups and time.monotonic() < deadline:
        groups = {group for group in groups if send(group, 0)}
        time.sleep(0.1)
    for group in groups:
        send(group, signal.SIGKILL)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
