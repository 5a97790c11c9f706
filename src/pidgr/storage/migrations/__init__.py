"""The schema over time: forward only, one file a step."""
