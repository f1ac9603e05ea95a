"""Runs the command line as ``python -m openflexure_timelapse``."""

import sys

from openflexure_timelapse.cli import main

sys.exit(main())
