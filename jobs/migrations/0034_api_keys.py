"""API keys. The history of a job says which key started it.

Processes of the previous release send no `api_key`, which is null then.
"""

import uuid
from importlib import import_module

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

before = import_module("jobs.migrations.0027_fair_claims")
WITHOUT_DETAIL = "'submit', 'owner', 0, '', '');"
WITH_KEY = "'submit', 'owner', 0, '', coalesce(submission.api_key, ''));"
assert WITHOUT_DETAIL in before.SUBMIT
SUBMIT = before.SUBMIT.replace(WITHOUT_DETAIL, WITH_KEY)


def replace_submit(apps, schema_editor):
    before.create_submit(apps, schema_editor, SUBMIT)


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0033_file_indexes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=100)),
                ('prefix', models.CharField(max_length=10, verbose_name='key')),
                ('digest', models.CharField(max_length=64)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'Read'), ('start', 'Start'), ('upload', 'Upload'), ('admin', 'Administer')], max_length=10), size=None)),
                ('webhook', models.URLField(blank=True, max_length=2000)),
                ('webhook_secret', models.CharField(blank=True, max_length=80)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='expires')),
                ('last_used_at', models.DateTimeField(null=True, verbose_name='last used')),
                ('revoked_at', models.DateTimeField(null=True, verbose_name='revoked')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_keys', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
                'ordering': ['-created_at', '-id'],
                'constraints': [models.UniqueConstraint(models.F('digest'), name='api_key_digest'), models.CheckConstraint(condition=models.Q(('scopes__len__gt', 0)), name='api_key_has_scopes'), models.CheckConstraint(condition=models.Q(('webhook', ''), models.Q(('webhook_secret', ''), _negated=True), _connector='OR'), name='api_key_webhook_has_secret')],
            },
        ),
        migrations.RunSQL(
            "ALTER TYPE jobs_submission_1 ADD ATTRIBUTE api_key text",
            "ALTER TYPE jobs_submission_1 DROP ATTRIBUTE api_key",
        ),
        migrations.RunPython(replace_submit, before.replace_submit),
    ]
