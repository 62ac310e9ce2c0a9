from django.apps import AppConfig


class RecsiteConfig(AppConfig):
    name = "recsite"

    def ready(self) -> None:
        from recsite import checks, task_metrics  # noqa: F401  they register what they hold
