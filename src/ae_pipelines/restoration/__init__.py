"""Images cleaned up by a trained model: which ones, what they are compared with, and what is written."""
