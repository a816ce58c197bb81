<<<<<<< HEAD
"""One page that shows what a run found: a file that opens by a double click, without a network."""
=======
"""One page that shows what a run made: a file of its own that needs nothing but a browser."""
>>>>>>> main
