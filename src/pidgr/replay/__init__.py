"""Session replay: recordings of how pages were used, without people and without secrets."""
