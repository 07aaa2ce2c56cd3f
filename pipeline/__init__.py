"""From raw image archives to validated TFRecords."""
