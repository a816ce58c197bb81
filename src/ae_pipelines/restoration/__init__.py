"""Images cleaned up by a trained model: which ones, by what they are compared, and what is written."""
