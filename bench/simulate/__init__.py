"""A day of many users on one small machine, replayed for several ways to schedule models: `python -m bench.simulate`."""
