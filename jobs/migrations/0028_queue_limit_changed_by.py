import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0027_fair_claims'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # For rows that are not saved yet: no change in the database.
        migrations.AlterField(
            model_name='queuelimit',
            name='name',
            field=models.CharField(blank=True, db_default='', default='', max_length=255),
        ),
        migrations.AlterField(
            model_name='queuelimit',
            name='reason',
            field=models.CharField(blank=True, db_default='', default='', help_text='The people who wait read it.', max_length=200),
        ),
        migrations.AddField(
            model_name='queuelimit',
            name='changed_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
    ]

