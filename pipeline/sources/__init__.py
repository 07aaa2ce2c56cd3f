"""Where images come from: each module reads one layout and lists its images without decoding any."""
