"""The groups of staff, and what migrations give them."""

from collections.abc import Iterable, Mapping
from typing import Any

#: Looks at everything; launches trainings; reviews judgements; publishes models. Each also looks.
VIEWER, TRAINER, REVIEWER, PUBLISHER = GROUPS = ("Viewer", "Trainer", "Reviewer", "Publisher")


def grant(apps: Any, app_label: str, permissions: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
    """Give groups permissions of an application, in a migration of its own. Groups that are missing are made.

    Permissions are made too: Django makes them only when all migrations are done. A permission that staff take from
    a group later stays taken, because a migration runs once.

    Args:
        apps: the migration's registry, which must know `auth` and `contenttypes` (depend on their latest migrations).
        permissions: codenames such as `view_trainingrun` by model name in lower case, by group.
    """
    group_model = apps.get_model("auth", "Group")
    permission_model = apps.get_model("auth", "Permission")
    content_types = apps.get_model("contenttypes", "ContentType").objects
    for name in GROUPS:
        group_model.objects.get_or_create(name=name)
    for name, models in permissions.items():
        group = group_model.objects.get(name=name)
        for model, codenames in models.items():
            content_type = content_types.get_or_create(app_label=app_label, model=model)[0]
            labels = _labels(apps, app_label, model)
            for codename in codenames:
                permission, _ = permission_model.objects.get_or_create(
                    content_type=content_type, codename=codename, defaults={"name": labels[codename]}
                )
                group.permissions.add(permission)


def look(*models: str) -> dict[str, list[str]]:
    """For `grant`: the permission to look at each model."""
    return {model: [f"view_{model}"] for model in models}


def _labels(apps: Any, app_label: str, model: str) -> dict[str, str]:
    """Codename to name, of the permissions that Django makes for the model and of its own."""
    options = apps.get_model(app_label, model)._meta
    verbs = ("add", "change", "delete", "view")
    return {f"{verb}_{model}": f"Can {verb} {options.verbose_name_raw}" for verb in verbs} | dict(options.permissions)
