"""Models that stand on the latents; none of them needs torch."""
