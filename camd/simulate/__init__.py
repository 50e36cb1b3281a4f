"""A fleet of boards that behave, and of boards that do not, against any camd.

Speaks the boards' end of both protocols over whatever endpoint it is given, keeps a ledger of
what was promised, and can hold a store to it.
"""

from camd.simulate.fleet import Plan, SimulatedFleet
from camd.simulate.ledger import Ledger
from camd.simulate.verify import Verification, verify

__all__ = ["Ledger", "Plan", "SimulatedFleet", "Verification", "verify"]
