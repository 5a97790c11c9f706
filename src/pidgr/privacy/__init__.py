"""What people may ask about their own data: a copy, a correction, a restriction, erasure."""
