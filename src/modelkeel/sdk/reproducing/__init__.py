"""Old runs again: environments rebuilt, snapshots unpacked, reruns compared with proof."""
