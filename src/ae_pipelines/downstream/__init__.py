"""Models on latents; none of them needs torch."""
