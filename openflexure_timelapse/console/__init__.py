"""What the command line does behind its parser, and how it looks."""
