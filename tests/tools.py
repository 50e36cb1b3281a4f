"""Tools that Python cannot bring along."""

import os
import shutil
from typing import NoReturn
from unittest import SkipTest


def tool(name: str, package: str) -> str:
    """Where the program *name* is. Without it the test is skipped, and says which Debian package
    has it; where everything must be there, the test fails instead."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        _lack(f"{name} is missing: apt-get install {package}")
    return found


def as_root(what: str) -> None:
    """Only root may do *what* here; anybody else's test is skipped as one whose tool is missing."""
    if os.geteuid() != 0:
        _lack(f"{what} is for root only")


def _lack(what: str) -> NoReturn:
    if os.environ.get("CI"):
        raise AssertionError(what)
    raise SkipTest(what)
