"""One stage a file: a pure core with thin plumbing."""
