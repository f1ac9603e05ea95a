"""The folder that stands before all others on the path of a simulated camera."""
