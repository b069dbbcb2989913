"""Gates that the server enforces, approvals by people, and the answer to "what stands behind this prediction?"."""
