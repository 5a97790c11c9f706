"""The database: one code base on SQLite (embedded default) and PostgreSQL."""
