"""Tools that Python cannot bring along."""

import os
import shutil
from unittest import SkipTest


def tool(name: str, package: str) -> str:
    """Where the program *name* is. Without it the test is skipped, and says which Debian package
    has it; where everything must be there, the test fails instead."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        missing = f"{name} is missing: apt-get install {package}"
        if os.environ.get("CI"):
            raise AssertionError(missing)
        raise SkipTest(missing)
    return found
