"""Licences: what each destination calls them, and which of them it takes. Pure.

A record names its licence by the SPDX id. Only CC0 1.0 and CC BY 4.0 are taken by all.
"""

from typing import List, Mapping, NamedTuple

from openflexure_timelapse.share.finding import Finding

__all__ = [
    "GBIF",
    "INATURALIST",
    "LICENCES",
    "NORDIC_MICROALGAE",
    "Licence",
    "licence_of",
    "refused_licence",
]

DEEDS = "https://creativecommons.org/"
LEGAL_CODES = "http://creativecommons.org/"


class Licence(NamedTuple):
    """A licence as people know it.

    Attributes
    ----------
    spdx : str
        Its SPDX id.
    title : str
        As people write it.
    url : str
        Of the page that explains it.
    """

    spdx: str
    title: str
    url: str


LICENCES: Mapping[str, Licence] = {
    row.spdx: row
    for row in (
        Licence("CC0-1.0", "CC0 1.0", DEEDS + "publicdomain/zero/1.0/"),
        Licence("CC-PDM-1.0", "Public domain", DEEDS + "publicdomain/mark/1.0/"),
        Licence("CC-BY-4.0", "CC BY 4.0", DEEDS + "licenses/by/4.0/"),
        Licence("CC-BY-SA-4.0", "CC BY-SA 4.0", DEEDS + "licenses/by-sa/4.0/"),
        Licence("CC-BY-ND-4.0", "CC BY-ND 4.0", DEEDS + "licenses/by-nd/4.0/"),
        Licence("CC-BY-NC-4.0", "CC BY-NC 4.0", DEEDS + "licenses/by-nc/4.0/"),
        Licence("CC-BY-NC-SA-4.0", "CC BY-NC-SA 4.0", DEEDS + "licenses/by-nc-sa/4.0/"),
        Licence("CC-BY-NC-ND-4.0", "CC BY-NC-ND 4.0", DEEDS + "licenses/by-nc-nd/4.0/"),
        Licence("CC-BY-3.0", "CC BY 3.0", DEEDS + "licenses/by/3.0/"),
        Licence("CC-BY-SA-3.0", "CC BY-SA 3.0", DEEDS + "licenses/by-sa/3.0/"),
        Licence("CC-BY-ND-3.0", "CC BY-ND 3.0", DEEDS + "licenses/by-nd/3.0/"),
    )
}

# The choices of its form, letter by letter; it has none that forbids commercial use.
NORDIC_MICROALGAE: Mapping[str, str] = {
    "CC-BY-4.0": "Creative Commons Attribution 4.0 International",
    "CC-BY-SA-4.0": "Creative Commons Attribution-ShareAlike 4.0 International",
    "CC-BY-ND-4.0": "Creative Commons Attribution-NoDerivatives 4.0 International",
    "CC0-1.0": "CC0 1.0 Universal",
    "CC-PDM-1.0": "Public domain",
    "CC-BY-3.0": "Creative Commons Attribution 3.0 Unported",
    "CC-BY-SA-3.0": "Creative Commons Attribution-ShareAlike 3.0 Unported",
    "CC-BY-ND-3.0": "Creative Commons Attribution-NoDerivs 3.0 Unported",
}

# Its codes, which stand for version 4.0.
INATURALIST: Mapping[str, str] = {
    "CC0-1.0": "CC0",
    "CC-BY-4.0": "CC-BY",
    "CC-BY-NC-4.0": "CC-BY-NC",
    "CC-BY-SA-4.0": "CC-BY-SA",
    "CC-BY-ND-4.0": "CC-BY-ND",
    "CC-BY-NC-SA-4.0": "CC-BY-NC-SA",
    "CC-BY-NC-ND-4.0": "CC-BY-NC-ND",
}

# The addresses that its archives carry; it takes no other licence.
GBIF: Mapping[str, str] = {
    "CC0-1.0": LEGAL_CODES + "publicdomain/zero/1.0/legalcode",
    "CC-BY-4.0": LEGAL_CODES + "licenses/by/4.0/legalcode",
    "CC-BY-NC-4.0": LEGAL_CODES + "licenses/by-nc/4.0/legalcode",
}

_SPDX = {spdx.lower(): spdx for spdx in LICENCES}


def licence_of(spdx: str) -> Licence:
    """Return what is known of a licence.

    Parameters
    ----------
    spdx : str
        Its id, in small or capital letters as SPDX allows. One that we do not know is
        called by its id and has no address.
    """
    known = _SPDX.get(spdx.lower())
    return Licence(spdx, spdx, "") if known is None else LICENCES[known]


def refused_licence(
    spdx: str, taken: Mapping[str, str], destination: str
) -> List[Finding]:
    """Return a finding that blocks, where a destination does not take a licence.

    Parameters
    ----------
    spdx : str
        As the record has it.
    taken : mapping
        What the destination takes: one of the tables of this module.
    destination : str
        As people call it.
    """
    if licence_of(spdx).spdx in taken:
        return []
    told = f"{destination} does not take the licence {spdx}; choose one of "
    return [Finding("licence", f"{told}{', '.join(taken)}.", blocks=True)]
