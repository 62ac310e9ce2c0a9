"""A history's arrays are kept as they are: packing them gains a twentieth of the space and costs time at each load."""

from django.db import migrations

COLUMNS = ("anime_ids", "scores")


def storage(kind: str) -> str:
    changes = ", ".join(f"ALTER COLUMN {column} SET STORAGE {kind}" for column in COLUMNS)
    return f"ALTER TABLE catalog_member {changes}"


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [migrations.RunSQL(storage("EXTERNAL"), storage("EXTENDED"))]
