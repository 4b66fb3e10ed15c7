"""Ray: joining or starting it, what one trial may use, and signals."""
