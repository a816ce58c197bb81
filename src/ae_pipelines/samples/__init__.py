"""From a source to stored samples: reading, decoding, splits, shards, and the store itself."""
