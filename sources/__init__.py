"""Where the rows come from: the registry of sources and the embedded sample sources (`sources.sample`).

Importing this package loads no driver.
"""

from sources.registry import Source, SourceRegistry, registry_from_environment

__all__ = ["Source", "SourceRegistry", "registry_from_environment"]
