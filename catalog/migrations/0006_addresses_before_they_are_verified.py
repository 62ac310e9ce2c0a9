from django.db import migrations


class Migration(migrations.Migration):
    """Several accounts may name one address until it is verified: allauth keeps verified ones unique."""

    dependencies = [("catalog", "0005_import_jobs")]

    operations = [migrations.RemoveConstraint("user", "user_email_unique_in_any_case")]
