"""A day of many users on one small machine, replayed for several schedulers: `python -m bench.simulate`."""
