"""Time-lapse for the OpenFlexure Microscope.

Importing this package touches no disk and no hardware. A host builds a
`openflexure_timelapse.hosts.service.Service` from its ports and offers the verbs.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
