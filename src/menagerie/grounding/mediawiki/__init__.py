"""MediaWiki: where the wikis are, what their API answers, articles as documents."""
