"""Commands for maintainers and users that belong to no single suite."""
