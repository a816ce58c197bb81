"""One page that shows what a study found: whether the winner is worth it, and all trials."""
