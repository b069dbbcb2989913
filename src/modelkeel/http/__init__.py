"""The ASGI kit of the control plane: who asks, Host and Origin checks, problem details."""
