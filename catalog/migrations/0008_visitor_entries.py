import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q
from django.utils import timezone

BATCH = 1000


def move_from_sessions(apps, schema_editor):
    """Visitors' scores and lists were part of their session's data until now."""
    from django.contrib.sessions.backends.db import SessionStore

    Entry = apps.get_model("catalog", "VisitorEntry")
    known = set(apps.get_model("catalog", "Anime").objects.values_list("pk", flat=True))
    sessions = apps.get_model("sessions", "Session").objects.filter(expire_date__gt=timezone.now())
    entries = []
    for session in sessions.iterator(BATCH):
        said = SessionStore().decode(session.session_data).get("visitor", {})
        for kind, column in (("ratings", "score"), ("statuses", "status")):
            for anime, value in said.get(kind, {}).items():
                if int(anime) in known:
                    entries.append(Entry(session_id=session.pk, anime_id=int(anime), **{column: value}))
        if len(entries) >= BATCH:
            Entry.objects.bulk_create(entries, BATCH)
            entries.clear()
    Entry.objects.bulk_create(entries, BATCH)


STATUSES = ["plan_to_watch", "watching", "completed", "dropped", "not_interested"]


class Migration(migrations.Migration):
    dependencies = [("catalog", "0007_import_replace"), ("sessions", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="VisitorEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("score", models.PositiveSmallIntegerField(null=True, verbose_name="score")),
                (
                    "status",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("plan_to_watch", "Plan to watch"),
                            ("watching", "Watching"),
                            ("completed", "Completed"),
                            ("dropped", "Dropped"),
                            ("not_interested", "Not interested"),
                        ],
                        max_length=20,
                        verbose_name="status",
                    ),
                ),
                (
                    "anime",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.anime"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="sessions.session"
                    ),
                ),
            ],
            options={
                "verbose_name": "visitor's entry",
                "verbose_name_plural": "visitors' entries",
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(("status", "")),
                        fields=("session", "anime"),
                        name="visitor_rating_once_per_session_and_anime",
                    ),
                    models.UniqueConstraint(
                        condition=Q(("status", ""), _negated=True),
                        fields=("session", "anime"),
                        name="visitor_status_once_per_session_and_anime",
                    ),
                    models.CheckConstraint(
                        condition=Q(("score__range", (1, 10)), ("status", ""))
                        | Q(("score__isnull", True), ("status__in", STATUSES)),
                        name="visitor_entry_is_score_or_status",
                    ),
                ],
            },
        ),
        migrations.RunPython(move_from_sessions, migrations.RunPython.noop, elidable=True),
    ]
