"""What latents are compared with: a net trained from labels, and a scoreboard of encoders and controls."""
