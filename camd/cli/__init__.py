"""``camd``: what the operator does from the command line.

* :mod:`camd.cli.group`: the commands' names, and the way in. The place to add one.
* :mod:`camd.cli.settings`: ``--config`` and ``--store``, and the configuration they make.

Every other module is a command, imported when it is called.
"""

from camd.cli.group import main

__all__ = ["main"]
