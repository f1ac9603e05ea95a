"""From frames to a movie."""
