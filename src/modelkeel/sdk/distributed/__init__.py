"""Steps on other machines, placed there by Ray."""
