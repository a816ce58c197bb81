"""One page that shows what a run made: a file of its own that needs nothing but a browser."""
