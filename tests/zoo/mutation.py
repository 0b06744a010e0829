"""Mutants by rule."""


def mutated(name: str, source: str) -> str:
    """Return the source with the mutation of this name."""
    raise NotImplementedError(name, source)
