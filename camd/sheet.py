"""Tables that spreadsheets open. Knows no file and no catalog."""

_FORMULA = ("=", "+", "-", "@")


def as_text(words: str) -> str:
    """What somebody called something, as a cell of a table.

    A spreadsheet computes what looks like a formula, and may call the network or a program to do
    so: an apostrophe ahead of it says that it is none.
    """
    return f"'{words}" if words.lstrip().startswith(_FORMULA) else words
