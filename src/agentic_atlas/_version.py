"""The one place that names the version; low modules import it instead of the root package."""

__version__ = "0.1.0"
