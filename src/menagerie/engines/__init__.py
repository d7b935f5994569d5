"""What computes: clients, child processes, plans, admission, residency."""
