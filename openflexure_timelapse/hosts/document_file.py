"""A small file that holds one document, read for a person who may have to mend it."""

from pathlib import Path
from typing import Optional, Type

from openflexure_timelapse.document import AnyDocument, parse
from openflexure_timelapse.errors import InvalidRequestError, StorageError
from openflexure_timelapse.json_text import read_object
from openflexure_timelapse.store.disk import storage_error

__all__ = ["read_document"]


def read_document(
    path: Path, kind: Type[AnyDocument], advice: str
) -> Optional[AnyDocument]:
    """Return what a file holds; None when there is no such file.

    Parameters
    ----------
    path : Path
        Of the file.
    kind : type of Document
        What it must be.
    advice : str
        What to do when it is damaged; a sentence.

    Raises
    ------
    StorageError
        When the file is there and cannot be read or understood.
    """
    what = f"file {path}"
    try:
        text = path.read_text(encoding="utf-8")
        data = read_object(text, f"The {what}", InvalidRequestError)
        return parse(kind, data, InvalidRequestError, what)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise storage_error(exc, "read", path) from exc
    except UnicodeDecodeError as exc:
        raise StorageError(f"The {what} is no text ({exc}). {advice}") from exc
    except InvalidRequestError as exc:
        raise StorageError(f"{exc} {advice}") from exc
