"""The one ordered stream of what happened: entries, Merkle tree, checkpoints, cursors, verification."""
