"""What is said: templates and their rendering."""
