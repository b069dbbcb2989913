"""Principals, and a model with two versions."""

import dataclasses

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Permission, Principal
from tests.unit.registry.conftest import flights, fresh, person, stranger, viewer

__all__ = ["flights", "fresh", "person", "stranger", "viewer"]


@pytest.fixture
def admin(keel: Keel, person: Principal) -> Principal:
    """Who holds every permission, in the installation as well."""
    everything = frozenset(Permission) - {Permission.INTERNAL}
    return dataclasses.replace(person, id="a", name="ada", kind="user", permissions=everything, installation=everything)
