"""Pictures of a run, by subject; each function gives a matplotlib figure."""
