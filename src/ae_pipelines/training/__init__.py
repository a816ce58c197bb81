"""From stored samples and a recipe to a trained model, and from that to latents."""
