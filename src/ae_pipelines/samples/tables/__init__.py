"""What only tables need: their files, what is in their columns, and what becomes of these."""
