"""Who is who: organizations, their members, roles and teams."""
