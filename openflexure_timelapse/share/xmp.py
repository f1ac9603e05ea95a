"""The XMP packet of an exported image: text that keeps every letter. Pure."""

import html
import re
from typing import Sequence

__all__ = ["XMP_MARK", "clean", "xmp_packet"]

XMP_MARK = b"http://ns.adobe.com/xap/1.0/\x00"

# What XML 1.0 has no room for, not even escaped.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/">
{properties}</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def clean(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return NOT_XML.sub("", text)


def xmp_packet(  # noqa: PLR0913 (one for each property)
    *,
    title: str,
    description: str,
    subjects: Sequence[str],
    creator: str,
    rights: str,
    terms: str,
    licence_url: str,
    protected: bool,
) -> bytes:
    """Return a packet with all of these that are not empty.

    Parameters
    ----------
    title, description : str
        Of the image.
    subjects : sequence of str
        Keywords.
    creator : str
        Who took it.
    rights, terms : str
        Whose it is, and what others may do with it.
    licence_url : str
        The page that explains the licence.
    protected : bool
        Whether anybody has rights in it.
    """
    properties = [
        _listed("dc:title", "Alt", [title]),
        _listed("dc:description", "Alt", [description]),
        _listed("dc:subject", "Bag", subjects),
        _listed("dc:creator", "Seq", [creator]),
        _listed("dc:rights", "Alt", [rights]),
        f"<xmpRights:Marked>{protected}</xmpRights:Marked>\n",
        _listed("xmpRights:UsageTerms", "Alt", [terms]),
        _plain("xmpRights:WebStatement", licence_url),
    ]
    return PACKET.format(properties="".join(properties)).encode("utf-8")


def _plain(name: str, text: str) -> str:
    """Return a property with one value."""
    return f"<{name}>{_escaped(text)}</{name}>\n" if text else ""


def _listed(name: str, kind: str, texts: Sequence[str]) -> str:
    """Return a property with a list of values; of languages where it is an Alt."""
    language = ' xml:lang="x-default"' if kind == "Alt" else ""
    items = "".join(
        f"<rdf:li{language}>{_escaped(text)}</rdf:li>" for text in texts if text
    )
    return f"<{name}><rdf:{kind}>{items}</rdf:{kind}></{name}>\n" if items else ""


def _escaped(text: str) -> str:
    """Return a text as XML has it."""
    return html.escape(clean(text))
