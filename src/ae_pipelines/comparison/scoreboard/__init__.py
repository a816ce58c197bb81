"""What recipes are worth: each with several seeds at several tasks, beside encoders that cost nothing."""
