"""The half-product: the file of latents, PCA latents as a control, and whether files belong together."""
