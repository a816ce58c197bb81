"""What everything else builds on: errors, options, the registry of parts, atomic files, runs, progress, workers."""
