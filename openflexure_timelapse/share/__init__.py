"""From a run to the places where the data belong: bundles that a person uploads."""
