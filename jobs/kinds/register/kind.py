"""Kind `register`: the objects of a bucket, as files that can be listed and downloaded."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, Group, User

from jobs.errors import SourceMissing
from jobs.kinds import Kind, Workspace
from jobs.kinds.base import JobParams
from jobs.kinds.register.build import register_objects
from jobs.kinds.register.catalogue import Catalogue
from jobs.kinds.register.params import RegisterFields
from jobs.kinds.registry import kind_folders
from jobs.lib.accounts import account_named
from jobs.models import DownloadJob
from jobs.storage import own_bucket_name

INTRODUCTION = """\
`POST /v1/files` registers the objects of a bucket as files, for staff. Repeat it to notice what is
new, changed or gone.
"""


class Register(Kind):
    name = "register"
    label = "Register files"
    description = "Make the objects of a bucket available as files."
    Params = RegisterFields
    permission = "jobs.add_storedfile"
    makes_file = False
    has_form = False
    name_field = ""
    urlconf = "jobs.kinds.register.urls"
    api_url_name = "files"
    time_limit_seconds = 24 * 3600
    min_speed = 20  # objects a second
    max_work = 100_000_000
    trusts_total = False
    created = "Requested"
    finished = "registered"
    introduction = INTRODUCTION
    example = {"bucket": "media", "prefix": "invoices/2026/", "group": "accounting"}

    def may_request(self, user: User | AnonymousUser) -> bool:
        return user.is_staff or super().may_request(user)

    def load(self, job: DownloadJob) -> Catalogue:
        params = job.params
        is_own = params["bucket"] == own_bucket_name()
        return Catalogue(
            bucket="" if is_own else params["bucket"],
            prefix=params["prefix"],
            folder=params["folder"],
            owner_id=_owner_id(params),
            group_id=_group_id(params),
            reserved=tuple(f"{folder}/" for folder in kind_folders()) if is_own else (),
        )

    def build(self, loaded: Catalogue, work: Workspace) -> None:
        register_objects(loaded, work)

    def concurrency_key(self, params: JobParams) -> str:
        return str(params["bucket"])

    def describe(self, job: DownloadJob) -> str:
        return f"Objects of {job.params['bucket']}/{job.params['prefix']}"


def _owner_id(params: JobParams) -> int | None:
    if not (name := params.get("owner")):
        return None
    if (user := account_named(name)) is None:
        raise SourceMissing(f"The user {name} no longer exists.")
    return int(user.pk)


def _group_id(params: JobParams) -> int | None:
    if not (name := params.get("group")):
        return None
    if (group := Group.objects.filter(name=name).first()) is None:
        raise SourceMissing(f"The group {name} no longer exists.")
    return group.pk
