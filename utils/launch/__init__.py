"""What the bash launchers call: places and arguments of a command, its process, its log and its exit code."""
