"""The programs inside the child processes. They import nothing of the rest of the package."""
