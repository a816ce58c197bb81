"""What recipes there are, what each is made of, and whether it fits: `python -m ae_pipelines.recipes`."""
