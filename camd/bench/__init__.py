"""How much this machine can take in: camd itself, measured from outside, beside a yardstick.

The load comes from a process of its own, real JPEGs over real sockets, and every answer counts
only when the photo is durable. Absolute figures swing from run to run; the ratio to a writer
that makes one photo after the other durable, taken in the same run, is what can be compared.
"""
