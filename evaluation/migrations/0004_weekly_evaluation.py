from django.db import migrations


def create_schedule(apps, schema_editor):
    """On Sundays at 2:00 UTC; staff may change it."""
    crontabs = apps.get_model("django_celery_beat", "CrontabSchedule").objects
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    crontab, _ = crontabs.get_or_create(minute="0", hour="2", day_of_week="0")
    fields = {
        "task": "evaluation.tasks.evaluate_published",
        "crontab": crontab,
        "description": "Measures the published model anew, on the data as it is then.",
    }
    tasks.get_or_create(name="Evaluate the published model", defaults=fields)


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("evaluation", "0003_paper_report"),
    ]

    operations = [migrations.RunPython(create_schedule, migrations.RunPython.noop)]
