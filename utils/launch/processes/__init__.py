"""Processes: started apart from the shell, found again, joined by a scheduler on a port."""
