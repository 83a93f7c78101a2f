"""The variables that settings are made of: a copy, so that values of files stay out of os.environ.

A project may add those of a file before it imports jobs.default_settings: `env.read_env(path)`.
"""

from __future__ import annotations

import os

from jobs.lib.environment import Environment


class _Copy(Environment):
    ENVIRON = dict(os.environ)


env = _Copy()
