from django.apps import AppConfig


class RecsiteConfig(AppConfig):
    name = "recsite"

    def ready(self) -> None:
        from recsite import checks  # noqa: F401  registers them
