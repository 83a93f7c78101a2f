"""Only names of Python change: the tables and their columns stay as they are."""

from typing import Any

from django.db import migrations, models

ACTIONS = ["add", "change", "delete", "view"]


def rename_permissions(before: str, after: str) -> Any:
    def rename(apps: Any, _schema_editor: Any) -> None:
        permissions = apps.get_model("auth", "Permission").objects
        for action in ACTIONS:
            permissions.filter(
                content_type__app_label="jobs", codename=f"{action}_{before}"
            ).update(codename=f"{action}_{after}")

    return rename


class Migration(migrations.Migration):

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("jobs", "0012_ended_token_family"),
    ]

    operations = [
        migrations.AlterModelTable("Upload", "jobs_upload"),
        migrations.RenameModel("Upload", "IncomingUpload"),
        migrations.AlterField(
            "DownloadJob",
            "after",
            models.ManyToManyField("jobs.downloadjob", related_name="dependents"),
        ),
        migrations.AlterField(
            "StoredFile", "role", models.CharField(default="catalogue", max_length=20)
        ),
        migrations.RunPython(
            rename_permissions("upload", "incomingupload"),
            rename_permissions("incomingupload", "upload"),
        ),
    ]
