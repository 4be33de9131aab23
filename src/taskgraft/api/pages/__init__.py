"""Pages for people: HTML that is rendered here from what the HTTP API returns, one style sheet and one script."""
