"""Reads XML that others may have written: no entities, nothing from elsewhere, and no more than an annotation has."""

import xml.etree.ElementTree as ET
from pathlib import Path
from xml.parsers import expat

MOST_BYTES = 16 * 10**6  # of one picture's annotation, which has thousands


class XmlTextError(ValueError):
    """Why a file is not the XML that was wanted, as half a sentence."""


def read_xml(path: Path) -> ET.Element:
    """Returns the outermost element of a file.

    Raises:
        XmlTextError: it cannot be read, is no XML, is too large, or has a document type, which can declare entities.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise XmlTextError(f"it has more than {MOST_BYTES / 1e6:.0f} MB")
        data = path.read_bytes()
    except OSError as error:
        raise XmlTextError(f"it cannot be read ({error.strerror})") from error
    parser, builder = expat.ParserCreate(), ET.TreeBuilder()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise XmlTextError("it has a document type, which no annotation needs")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:  # LookupError: an unknown encoding
        raise error if isinstance(error, XmlTextError) else XmlTextError(f"it is no XML, {error}") from error
