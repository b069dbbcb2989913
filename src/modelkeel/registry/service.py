"""The registry as others use it: one facade over the use cases, each kept in a file of its own."""

from modelkeel.registry.catalog import Catalog
from modelkeel.registry.importing import Importing
from modelkeel.registry.versions import Versions


class Registry(Catalog, Versions, Importing):
    """Registered models, versions and aliases of an installation."""
