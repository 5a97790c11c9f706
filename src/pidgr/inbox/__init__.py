"""What a recipient sees and does: inbox, acknowledgement, devices."""
