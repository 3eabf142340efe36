"""Looks at the machine and the environment, says what is there and what to mend: text to paste into an issue."""
