"""Organizations to try things out in: made with sample data, gone after some days."""
