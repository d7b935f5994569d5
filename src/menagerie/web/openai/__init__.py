"""OpenAI's API over the menagerie: each file decodes one of its requests to a turn, and encodes the turn's events."""
