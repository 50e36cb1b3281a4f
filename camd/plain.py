"""Text from elsewhere, fit to be shown: on one line, and without what would command a terminal."""


def plain(text: str) -> str:
    """*text* with a sign in place of each that cannot be printed."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
