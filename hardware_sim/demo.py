"""What ``make demo`` records."""

from typing import Any, Dict

__all__ = ["DEMO_PLAN", "DEMO_SCENE"]

DEMO_SCENE = "algae_growth+pond"

DEMO_PLAN: Dict[str, Any] = {
    "name": "demo algae and pond life",
    "interval_s": 300,
    "frames": 120,
    "positions": [
        {"name": "colony", "x": 0, "y": 0, "z": 0},
        {"name": "meadow", "x": 1600, "y": -1100, "z": 0},
    ],
    "autofocus": {"every": 10, "range": 2000},
    "keep_free_mb": 100,
    "movie": {"format": "mp4", "fps": 12},
    "sample": {
        "title": "Simulated algae and pond life",
        "place": "hardware_sim",
    },
}
