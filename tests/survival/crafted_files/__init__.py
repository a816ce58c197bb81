"""The crafted files: bombs, lies, code, and what is no file at all; importing this registers them all."""

from crafted_files import arrays, images, models, no_files, parquet, stores, text

__all__ = ["arrays", "images", "models", "no_files", "parquet", "stores", "text"]
