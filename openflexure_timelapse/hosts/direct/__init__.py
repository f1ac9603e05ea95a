"""The microscope without a server: a Pi camera on picamera2 and a Sangaboard."""
