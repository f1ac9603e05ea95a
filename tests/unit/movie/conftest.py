"""Frames for the tests of movies."""

from typing import List

import pytest
from numbered import write_frames

from openflexure_timelapse.movie.render import MovieFrame


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> List[MovieFrame]:
    """Write 24 numbered frames: slots 0 to 25 without 10 and 11."""
    folder = tmp_path_factory.mktemp("frames")
    return write_frames(folder, [slot for slot in range(26) if slot not in (10, 11)])
