"""What the pages weigh and how fast they are, in Chromium, before the whole service."""
