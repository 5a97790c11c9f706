"""Benchmarks of the core path, as ratios to floors measured in the same run.

``python -m bench`` prints the table and keeps it as JSON in bench/results. Every figure stands
beside a floor: the same rows written by the database's own fastest bulk path, the same server with
an empty handler, the same process at rest, or a limit that users feel. Floors are measured in turn
with what they are compared to, and ratios are taken round by round, because other work on the
machine moves absolute rates by a factor of two.
"""
