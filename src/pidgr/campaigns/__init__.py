"""Campaigns: lifecycle, frozen audience, workflow and deliveries."""
