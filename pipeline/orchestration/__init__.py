"""The staged pipeline's machinery: what is recorded, what is run again, what came from what."""
