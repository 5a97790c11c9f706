"""Pidgr: internal communication that every employee confirms."""
