"""What recipes are worth: each with several seeds on several tasks, beside encoders that cost nothing."""
