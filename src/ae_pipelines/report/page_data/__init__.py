"""What a page knows of its samples, packed into few bytes."""
