"""One file for each family of documents: its bytes in, an outline of its text out."""
