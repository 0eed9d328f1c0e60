"""Guards: what stops an agent that loops, overspends or hangs."""
