"""How a pipeline runs in this process: steps, their cache, what is recorded of them."""
