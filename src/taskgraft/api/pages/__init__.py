"""Pages for people: HTML that is rendered here from what the HTTP API returns, style sheets and small scripts."""
