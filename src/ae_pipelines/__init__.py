"""From mostly unlabelled samples to latent vectors that other models build on."""

__version__ = "0.1.0"
