"""The site's processes and the commands that run them; `docker/compose.yaml` runs the same ones."""


def _worker(queue: str, *options: str) -> tuple[str, ...]:
    """A worker for one queue. Told to stop, it ends what it works on: a training goes back to the queue at the end of
    its epoch. Its children are replaced when they have grown large (in KiB)."""
    quiet = ("--loglevel", "INFO", "--without-gossip", "--without-mingle")
    return ("celery", "-A", "recsite", "worker", *quiet, "-n", f"{queue}@%h", "-Q", queue, *options)


COMMANDS: dict[str, tuple[str, ...]] = {
    "web": ("gunicorn", "--config", "python:recsite.gunicorn_config", "recsite.wsgi"),
    "worker": _worker("default", "-c", "2", "--max-memory-per-child", "500000"),
    # One training at a time, each in a process of its own, which gives its memory back.
    "worker-training": _worker("training", "-c", "1", "--max-tasks-per-child", "1"),
    "worker-evaluation": _worker("evaluation", "-c", "1", "--max-memory-per-child", "500000"),
    # It waits for a judge nearly all the time; JUDGE_CONCURRENCY says how many requests run at once.
    "worker-judging": _worker("judging", "-P", "threads", "-c", "8"),
    # An empty pid file name means none: the supervisor knows its processes.
    "beat": ("celery", "-A", "recsite", "beat", "--loglevel", "INFO", "--pidfile", ""),
}
