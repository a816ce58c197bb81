"""One page that shows what a run found: a file that opens by a double click, without a network."""
