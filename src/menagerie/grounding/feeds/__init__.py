"""Feeds: reading one, and the table of feeds by subject."""
