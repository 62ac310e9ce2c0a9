"""The site's processes and the commands that run them; `docker/compose.yaml` runs the same ones."""

WORKER = ("celery", "-A", "recsite", "worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle")

COMMANDS: dict[str, tuple[str, ...]] = {
    "web": ("gunicorn", "--config", "python:recsite.gunicorn_config", "recsite.wsgi"),
    "worker": (*WORKER, "-n", "default@%h", "-Q", "default", "-c", "2"),
    # One training at a time, each in a process of its own, which gives its memory back.
    "worker-training": (*(*WORKER, "-n", "training@%h", "-Q", "training", "-c", "1", "--max-tasks-per-child", "1"),),
    # An empty pid file name means none: the supervisor knows its processes.
    "beat": ("celery", "-A", "recsite", "beat", "--loglevel", "INFO", "--pidfile", ""),
}

# A training lasts longer than anyone waits for a site to stop: its worker lets go of it at once, and the run
# goes on from its last checkpoint when the site is back.
ENVIRONMENT: dict[str, dict[str, str]] = {"worker-training": {"REMAP_SIGTERM": "SIGQUIT"}}
