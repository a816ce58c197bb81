"""One page that shows how two runs differ: in what they measured, in what they make of samples, and in options."""
