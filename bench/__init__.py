"""Ratios against the raw engine, measured in one run on one machine: `script/bench`."""
