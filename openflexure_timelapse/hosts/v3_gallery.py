"""A card for each finished run in the gallery of OpenFlexure's own web app.

The gallery asks a Thing for an engine and the engine for its cards. Ours keeps no
table: the runs on disk are the one truth, and each look lists the newest of them.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.hosts.verbs import Verbs
from openflexure_timelapse.run_state import Phase
from openflexure_timelapse.store import layout

__all__ = ["RunCards"]

CARD_TYPE = "TimeLapse"
MOST_CARDS = 500
THUMBNAIL_WIDTH = 320


class RunCards:
    """What the gallery takes for the engine of a provider.

    Parameters
    ----------
    verbs : Verbs
        Knows the runs.
    thing : str
        The name of our Thing, below which the server serves the data folder.
    make_card : callable
        Makes one of the server's gallery entries from its fields, by name.

    Attributes
    ----------
    card_type : str
        How the web app calls them.
    """

    card_type = CARD_TYPE

    def __init__(self, verbs: Verbs, thing: str, make_card: Callable[..., Any]) -> None:
        self._verbs = verbs
        self._thing = thing
        self._make_card = make_card

    def get_all_entries_as_base_model(self) -> List[Any]:
        """Return a card for each finished run, newest first.

        Empty while the time-lapse cannot be used: its status says why, and an error
        here would be a traceback in the server's log at each look.
        """
        try:
            return [self._card(run) for run in self._finished()]
        except TimelapseError:
            return []

    def finished_ids(self) -> List[str]:
        """Return the ids of the finished runs, newest first.

        Raises
        ------
        TimelapseError
            When the runs cannot be listed.
        """
        return [run["run"] for run in self._finished()]

    def _finished(self) -> Iterator[Dict[str, Any]]:
        """Yield what is known of each run that is over and has frames."""
        service = self._verbs.service
        for brief in service.runs(limit=MOST_CARDS)["runs"]:
            if brief["active"] or brief["problem"] or not brief["frames"]:
                continue
            run = service.run(brief["run"])
            if (run["state"] or {}).get("phase") == Phase.ENDED.value:
                yield run

    def _card(self, run: Dict[str, Any]) -> Any:
        """Return the card of one run."""
        service, run_id = self._verbs.service, run["run"]
        folder = service.library.folder(run_id)
        named = [*run["movies"], layout.CSV_FILE, layout.HEADER_FILE]
        file = next(name for name in named if (folder / name).is_file())
        created_s = datetime.fromisoformat(run["started"]).timestamp()
        modified_s = max(created_s, (folder / file).stat().st_mtime)
        thumbnail = service.library.latest(run_id, THUMBNAIL_WIDTH)
        return self._make_card(
            name=f"{run['name']} ({run_id})",
            path=f"{self._thing}/{run_id}/{file}",
            thing=self._thing,
            delete_endpoint=f"{self._thing}/runs/{run_id}?confirm={run_id}",
            created=created_s,
            modified=modified_s,
            card_type=self.card_type,
            gallery_info={
                "number_of_images": run["frames"],
                "bytes": run["bytes"],
                "counts": run["counts"],
            },
            thumbnail_source=self._served(thumbnail, folder),
            gallery_added_data={},
        )

    def _served(self, file: Path, folder: Path) -> str:
        """Return where the server serves a file of a run."""
        return f"{self._thing}/{folder.name}/{file.relative_to(folder).as_posix()}"
