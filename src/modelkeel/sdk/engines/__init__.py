"""Where steps run: this process, worker processes beside it, or Ray."""
