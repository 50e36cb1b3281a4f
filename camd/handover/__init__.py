"""Connections that outlive their process.

For an upgrade the running process, the forebear, starts its heir beside itself; once that is
ready it stands still and hands over sockets and what is known of each (`upgrade`, `heir`,
`forebear`, `estate`, `letters`). Over a crash the sockets alone survive, with the service manager
or with camd's own keeper process, and a small page of memory that tells which boards are owed
nothing (`keeping`, `slate`, `inherited`, `keeper`).

This module imports nothing: the keeper runs without Twisted.
"""
