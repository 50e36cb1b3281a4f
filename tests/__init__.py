"""What camd promises, tried out."""

from hypothesis import HealthCheck, settings

from camd.process import many_files

# Tests of many connections have both ends of each.
many_files()

# How fast examples are drawn says more about the machine than about what is tested.
settings.register_profile("camd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("camd")
