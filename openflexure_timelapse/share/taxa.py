"""Names of organisms from a list that the person has put into the data folder.

None is shipped: see ``docs/decisions/0020-names-of-taxa.md``. Which lists are read is
in `taxon_rows`.
"""

import re
import threading
from pathlib import Path
from typing import Any, List, Optional, Tuple

from openflexure_timelapse.errors import NotReadyError, StorageError
from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.taxon_index import INDEX_FILE, Reading
from openflexure_timelapse.share.taxon_rows import COLUMNS, KnownTaxon, key_of
from openflexure_timelapse.store.database import translated
from openflexure_timelapse.store.disk import storage_error

__all__ = ["FILES", "KnownTaxon", "Taxa", "taxon_findings"]

FILES = ("taxa.tsv", "taxa.txt", "taxa.csv")
MOST_SHOWN = 4
AFTER_ALL = "\U0010ffff"
OPEN_NAME = re.compile(r"\b(sp|spp|cf|aff)\b")
SELECT = f"SELECT DISTINCT {', '.join(COLUMNS)} FROM taxa"  # noqa: S608 - our own names
BY_BEGINNING = f"{SELECT} WHERE key >= ? AND key < ? ORDER BY key, place LIMIT ?"
BY_NAME = f"{SELECT} WHERE key = ? AND NOT is_common"


class Taxa:
    """The list of one data folder; safe from any thread.

    It is read when it is first asked, and anew when it was changed.

    Parameters
    ----------
    data_folder : Path
        Where the list is, under one of the names in `FILES`; there may be none.
    patience_s : float or None
        How long a question waits for a list that is being read; None for as long as
        it takes.
    """

    def __init__(self, data_folder: Path, patience_s: Optional[float] = None) -> None:
        self._data_folder = data_folder
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._reading: Optional[Reading] = None

    @property
    def source(self) -> Optional[str]:
        """The name of the file that is read; None where there is none."""
        found = (name for name in FILES if (self._data_folder / name).is_file())
        return next(found, None)

    def find(self, beginning: str, limit: int) -> List[KnownTaxon]:
        """Return names that begin so, in whatever letters, the accepted ones first.

        Also by the names that people use, where the list has them.

        Raises
        ------
        NotReadyError
            While a long list is being read.
        StorageError
            When the list cannot be read or understood.
        """
        key = key_of(beginning)
        return self._asked(BY_BEGINNING, (key, key + AFTER_ALL, limit))

    def matches(self, name: str) -> Tuple[KnownTaxon, ...]:
        """Return every taxon of that name; the accepted ones only, if there are such.

        Raises
        ------
        NotReadyError, StorageError
            As `find` does.
        """
        found = self._asked(BY_NAME, (key_of(name),))
        accepted = [taxon for taxon in found if taxon.is_accepted]
        return tuple(accepted or found)

    def wait(self, patience_s: Optional[float] = None) -> Optional[float]:
        """Wait until the list is read, and return None; else how much of it is.

        Parameters
        ----------
        patience_s : float or None
            How long to wait; None for as long as it takes. One that cannot be read
            needs no more waiting: who asks is told.
        """
        with self._lock:
            reading = self._looked()
        if reading is None or reading.is_over(patience_s):
            return None
        return reading.fraction

    def close(self) -> None:
        """Forget what was read; it can be asked again."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        """Give up what is being read, or close what was."""
        if self._reading is not None:
            self._reading.close()
        self._reading = None

    def _asked(self, query: str, values: Tuple[Any, ...]) -> List[KnownTaxon]:
        """Return the rows of a query; none where there is no list."""
        with self._lock:
            reading = self._looked()
        if reading is None:
            return []
        reading.wait(self._patience_s)
        with self._lock:
            # Another thread may have found another list meanwhile.
            reading = self._looked()
            names = None if reading is None else reading.wait(0)
            if reading is None:
                return []
            if names is None:
                told = f"The list {reading.stamp[0]} is being read "
                told += f"({reading.fraction:.0%}); look again in a moment."
                raise NotReadyError(told)
            with translated(self._data_folder / INDEX_FILE):
                rows = names.execute(query, values).fetchall()
        return [KnownTaxon(*row) for row in rows]

    def _looked(self) -> Optional[Reading]:
        """Begin to read the list if it is not read as it is now; with the lock."""
        name = self.source
        if name is None:
            self._forget()
            return None
        path = self._data_folder / name
        try:
            status = path.stat()
        except OSError as exc:
            raise storage_error(exc, "read", path) from exc
        stamp = (name, status.st_size, status.st_mtime_ns)
        if self._reading is None or self._reading.stamp != stamp:
            self._forget()
            self._reading = Reading(self._data_folder, stamp)
        return self._reading


def taxon_findings(record: Record, taxa: Taxa, *, blocks: bool) -> List[Finding]:
    """Return what the person's list of names says against the name in a record.

    Parameters
    ----------
    record : Record
        Of the sample.
    taxa : Taxa
        The list.
    blocks : bool
        Whether a name that two taxa have cannot be shared as it is.
    """
    taxon, source = record.taxon, taxa.source
    if taxon is None or source is None:
        return []
    try:
        found = taxa.matches(taxon.name)
    except (StorageError, NotReadyError) as exc:
        return [Finding("taxon.name", f"The name was not looked up: {exc}")]
    meant = [each for each in found if _may_be(taxon, each)]
    if len(meant) == 1 or (not found and OPEN_NAME.search(taxon.name)):
        return []
    if len(found) > 1:
        shown = "; ".join(str(each) for each in found[:MOST_SHOWN])
        told = f"{taxon.name} is the name of {len(found)} taxa ({shown}); choose one."
        return [Finding("taxon.name", told, blocks=blocks)]
    told = f"{taxon.name} is not in {source}; check how it is spelt."
    if found:
        told = f"{source} has {found[0]}, with another number than the record; choose "
        told += "the name from the list."
    return [Finding("taxon.name", told)]


def _may_be(taxon: Taxon, known: KnownTaxon) -> bool:
    """Tell whether no number of a taxon says that it is not this one of the list."""
    pairs = (
        (taxon.aphia_id, known.aphia_id),
        (taxon.dyntaxa_id, known.dyntaxa_id),
        (taxon.gbif_key, known.gbif_key),
    )
    return all(None in pair or pair[0] == pair[1] for pair in pairs)
