"""One of something, or several: numbers in lines for people."""


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 photo``, ``2,000 photos``."""
    return f"{number:,} {singular_or(number, noun, plural)}"


def singular_or(number: int, noun: str, plural: str = "") -> str:
    """*noun* as it stands beside *number*; *plural* where it is more than an "s" longer."""
    return noun if number == 1 else plural or f"{noun}s"
