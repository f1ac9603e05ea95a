"""Names that people give, and the folders that are called after them."""

import re
import unicodedata

__all__ = ["checked_licence", "slug", "usable_name"]


def slug(name: str) -> str:
    """Return `name` as a folder name: lower-case ASCII letters, digits and hyphens.

    Empty when no letter or digit of any script is left; other scripts are written
    as code points, so that different names stay different.
    """
    plain = []
    for char in unicodedata.normalize("NFKD", name).lower():
        if char.isascii():
            plain.append(char if char.isalnum() else "-")
        elif char.isalnum():
            plain.append(f"u{ord(char):x}")
    return re.sub("-+", "-", "".join(plain)).strip("-")[:60].strip("-")


def usable_name(name: str) -> str:
    """Return `name` if people can read it and a folder can be called after it.

    Raises
    ------
    ValueError
        When it holds control characters, or nothing that a folder name can keep.
    """
    if any(unicodedata.category(char) == "Cc" for char in name):
        message = f"the name {name!r} holds a control character; leave it out"
        raise ValueError(message)
    if not slug(name):
        message = f"the name {name!r} has no letter or digit; give it one"
        raise ValueError(message)
    return name


def checked_licence(licence: str) -> str:
    """Return `licence` if it has the form of an SPDX id.

    Raises
    ------
    ValueError
        When it has not.
    """
    if not re.match(r"^[A-Za-z0-9.+-]{2,40}\Z", licence):
        message = "should be an SPDX id such as CC-BY-4.0 "
        raise ValueError(message + f"(it is {licence!r})")
    return licence
