from django.apps import AppConfig
from django.conf import settings


class RecsiteConfig(AppConfig):
    name = "recsite"

    def ready(self) -> None:
        from recsite import checks  # noqa: F401  they register what they hold
        from recsite.observability import task_metrics  # noqa: F401  they register what they hold

        if settings.TRACED:
            from recsite.observability import tracing  # brings what a process that is not traced need not load

            tracing.start()
