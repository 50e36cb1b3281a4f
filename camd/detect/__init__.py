"""Who looks at photos: worker processes, fed from the catalog's backlog, replaced when they die.

* :mod:`camd.detect.looking`: the room itself, as the daemon has it.
* :mod:`camd.detect.crew`: the workers that look with one model; `worker` is one of them.
* :mod:`camd.detect.terms`: what is wanted of a camera's photos, by the configuration.
* :mod:`camd.detect.trip`: to the catalog and back; `desk` says how much is to be fetched there.
* :mod:`camd.detect.manners`: workers stand still while boards wait for the disk.
* :mod:`camd.detect.moods`: when a camera's photos have gone bad.

The looking is done by `camd.vision`, in those processes alone: nothing here imports a network.
"""
