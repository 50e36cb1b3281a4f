"""Bytes to events and back: both protocols, both ends, the JPEG walk, the seal.

Nothing here knows a socket, a clock, a disk or a camera's rights. Decoders take bytes by
`receive_data` and give one event at a time by `next_event`, None when they need more; whoever
owns the socket may stop asking at any time.
"""
