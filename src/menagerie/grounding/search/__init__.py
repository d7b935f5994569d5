"""Who searches the Web for the pages of named sites."""
