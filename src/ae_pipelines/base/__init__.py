"""What everything else stands on: errors, options, the registry of parts, atomic files, runs, progress, workers."""
