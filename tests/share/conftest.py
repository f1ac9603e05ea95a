"""What holds for every test of bundles: zarr has its thread from the start."""

import numpy as np
import pytest


@pytest.fixture(scope="session", autouse=True)
def _thread_of_zarr(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Start the one thread that zarr may have: it then lives as long as the process."""
    zarr = pytest.importorskip("zarr", reason="the readers are in their own session")
    zarr.config.set({"threading.max_workers": 1})
    zarr.save(str(tmp_path_factory.mktemp("zarr") / "any.zarr"), np.zeros(1))
