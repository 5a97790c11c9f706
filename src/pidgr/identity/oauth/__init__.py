"""The OAuth 2.1 authorization server: what a person lets an application do, and its tokens."""
