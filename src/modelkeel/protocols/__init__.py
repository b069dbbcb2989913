"""Foreign wire formats: each turns its own messages into calls of the slices' services, and back."""
