"""menagerie: generative-AI services for a department, on one small machine."""

__version__ = "0.1.0"
