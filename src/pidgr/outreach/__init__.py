"""What leaves the house: push notifications, behind one interface."""
