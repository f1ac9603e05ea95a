"""What joins the engine to the programs that own the hardware."""
