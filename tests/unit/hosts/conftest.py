"""Services for the tests of the hosts' common parts."""

from pathlib import Path
from typing import Iterator

import pytest
from cases.services import PATIENCE_S, PLAN, made, run_of

from openflexure_timelapse.hosts.service import Service


@pytest.fixture(name="service")
def _service(tmp_path: Path) -> Iterator[Service]:
    service = made(tmp_path)
    yield service
    service.close()


@pytest.fixture(scope="module", name="finished")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Share one finished run among the tests that only look."""
    service = made(tmp_path_factory.mktemp("data"))
    service.start({**PLAN, "movie": {"format": "mp4", "width": 320}})
    assert service.wait(PATIENCE_S)
    for job_id in service.queue.movie_ids(run_of(service)):
        service.queue.wait(job_id, PATIENCE_S)
    service.queue.close()
    yield service
    service.close()
