"""Made-up names for runs that were given none."""

import secrets

_MOODS = """
able agile amber brave bright brisk calm candid clever crisp deft eager fair fleet fond gentle glad grand hardy honest
jolly keen kind lively lucid mellow merry neat nimble noble placid plucky polite proud quick quiet rapid ready serene
sharp sleek smart solid spry steady stout sunny swift tidy upbeat vivid warm wise witty zesty
"""
_SHIPS = """
albatross barque beacon bosun brig capstan clipper compass coral cutter dolphin dory frigate galleon gannet harbor
heron keel ketch lagoon lantern mast merlin narwhal oar orca osprey otter pelican petrel pilot porpoise puffin rudder
sail schooner seal sextant shoal skiff sloop swan tern tide trawler tug turtle walrus whale yawl
"""


def random_name() -> str:
    """Like `steady-heron-417`."""
    return f"{secrets.choice(_MOODS.split())}-{secrets.choice(_SHIPS.split())}-{secrets.randbelow(1000)}"
