"""Change the email address of an account: it counts once its owner has confirmed it."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from jobs.models.notification import AccountNotice, Notification
from jobs.models.preferences import Preferences


def request_email_change(owner: User, email: str) -> None:
    """Mail a link to the new address. The links of an earlier request no longer work."""
    with transaction.atomic():
        Preferences.objects.update_or_create(owner=owner, defaults={"unconfirmed_email": email})
        Notification.objects.record_account_notice(
            AccountNotice.CONFIRM_EMAIL, to=email, owner=owner
        )


def cancel_email_change(owner: User) -> None:
    Preferences.objects.filter(owner=owner).update(unconfirmed_email="")


def email_digest(email: str) -> str:
    """Return a hash of an address, for the links that are mailed to another one."""
    return salted_hmac("jobs.email", email).hexdigest()


def confirm_email_change(owner_id: int, *, old_digest: str, new: str) -> User | None:
    """Change the address to `new`, and mail a notice to the old one. Idempotent.

    Return None, and change nothing, if the account is disabled, changed its address otherwise, or
    no longer waits for this one.
    """
    try:
        with transaction.atomic():
            return _change(owner_id, old_digest, new)
    except IntegrityError:  # a project's users may have unique addresses
        return None


def _change(owner_id: int, old_digest: str, new: str) -> User | None:
    accounts = get_user_model()._default_manager.select_for_update()
    owner = accounts.filter(pk=owner_id, is_active=True).first()
    if owner is None or owner.email == new:
        return owner
    waiting = Preferences.objects.filter(owner=owner, unconfirmed_email=new)
    old = owner.email
    if email_digest(old) != old_digest or not waiting.update(unconfirmed_email=""):
        return None
    owner.email = new
    owner.save(update_fields=["email"])
    if old:
        Notification.objects.record_account_notice(
            AccountNotice.EMAIL_CHANGED, to=old, owner=owner, email=new
        )
    return owner
