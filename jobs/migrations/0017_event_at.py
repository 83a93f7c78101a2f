from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False  # concurrently: jobs go on being recorded meanwhile

    dependencies = [
        ("jobs", "0016_operators_statistics"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="jobevent",
            index=BrinIndex(
                fields=["at"], autosummarize=True, pages_per_range=32, name="event_at"
            ),
        ),
    ]
