"""What a served model reads: how much of it, and what it holds."""
