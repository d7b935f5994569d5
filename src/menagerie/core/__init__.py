"""Values that every layer shares: languages, messages, events, errors, provenance. No I/O."""
