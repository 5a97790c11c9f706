"""Who is calling: principals, tokens, API keys."""
