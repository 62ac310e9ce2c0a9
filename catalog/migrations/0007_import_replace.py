from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0006_addresses_before_they_are_verified")]

    operations = [
        migrations.AddField(
            model_name="importjob",
            name="replace",
            field=models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="Whether the data set may lose more than a fifth of its members or interactions.",
                verbose_name="may leave much less",
            ),
        ),
    ]
