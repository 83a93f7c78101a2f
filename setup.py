"""The packages of the wheel, which pyproject.toml cannot say: one lies in another folder.

The pages' templates are at the top of the repository, and in the wheel they are jobs/templates,
where Django finds those of an app. That of the admin's frame is for this project alone.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["downloads_client*", "jobs*"]), "jobs.templates"],
    package_dir={"jobs.templates": "templates"},
    package_data={"": ["static/**/*", "templates/**/*"], "jobs.templates": ["**/*"]},
    exclude_package_data={"jobs.templates": ["admin/base_site.html", "admin/login.html"]},
)
