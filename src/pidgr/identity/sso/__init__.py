"""Single sign-on: people of a domain sign in with their organization's identity provider."""
