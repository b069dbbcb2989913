"""Nobody gets where they may not: every route, every published hole, every input."""
