"""`manage.py up`: the whole site on this machine, in the foreground, until Ctrl-C."""

import signal
import time
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from recsite.local import embedded, processes, startup
from recsite.local.screen import Screen
from recsite.local.supervisor import Supervisor

CHECK_SERVERS_EVERY_S = 5


class Command(BaseCommand):
    """Start what is not running, load and train what is missing, serve, and stop all of it at the end."""

    help = "Start the servers, load the data, train a model if there is none, and serve until Ctrl-C."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until interrupted. Raises CommandError when a step fails; nothing is left running then either."""
        # SIGINT too: a script's background process is started with it ignored.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # not under nohup
                signal.signal(number, _interrupt)
        screen = Screen()
        host, port = startup.address()
        url = f"http://localhost:{port}/"
        var = embedded.var_dir()
        try:
            with embedded.explained(var), startup.only_one(var, url):
                startup.check_port(host, port)
                try:
                    self._run(screen, url, port)
                finally:
                    embedded.release()
        except KeyboardInterrupt:
            screen.say("Stopped.")

    def _run(self, screen: Screen, url: str, port: int) -> None:
        with screen.step("Servers") as step:
            started = embedded.ensure()
            step.detail = f"{' and '.join(started)} started" if started else "running"
        startup.migrate(screen)
        startup.collect_static(screen, embedded.var_dir())
        has_new_data = startup.load_data(screen)
        with Supervisor(embedded.var_dir() / "log", screen.say) as supervisor:
            try:
                children = {
                    name: supervisor.start(name, command, echo=name == "web")
                    for name, command in processes.COMMANDS.items()
                }
                startup.wait_until_serving(screen, supervisor, children["web"], port)
                startup.train_if_needed(screen, supervisor, has_new_data=has_new_data)
                screen.say(f"\nOpen {url}   (Ctrl-C stops everything; logs are in {embedded.var_dir() / 'log'})\n")
                self._serve(screen, supervisor)
            except KeyboardInterrupt:
                screen.say("Stopping …")
                raise

    def _serve(self, screen: Screen, supervisor: Supervisor) -> None:
        check_servers_at, complaint = 0.0, ""
        while True:
            supervisor.check()
            if time.monotonic() >= check_servers_at:
                check_servers_at = time.monotonic() + CHECK_SERVERS_EVERY_S
                try:
                    # Without waiting: a server that recovers by itself is left alone, and the site's processes are
                    # looked after meanwhile.
                    for name in embedded.ensure(wait=False):
                        screen.say(f"{name} had stopped and was started again.")
                    complaint = ""
                except embedded.EmbeddedServiceError as error:
                    if str(error) != complaint:
                        complaint = str(error)
                        screen.say(complaint)
            time.sleep(0.2)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
