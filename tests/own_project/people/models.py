"""The team's own user model."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):
    """Signs in with an email address."""

    email = models.EmailField(unique=True)
    department = models.CharField(max_length=40, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username"]

    class Meta:
        db_table = "team_people"
