"""What stays and what goes: legal holds, and the removal for good of what was deleted and of content nobody needs."""
