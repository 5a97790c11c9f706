"""The durable engine: short handlers that run after their transaction commits, whatever crashes."""
