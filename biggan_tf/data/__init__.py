"""The contract between `pipeline/` and training, and the way from TFRecords to batches."""
