"""Users, services, tokens, workspaces and roles."""
