"""What a look at a data set has found: findings, their table and their JSON; and pictures looked at in parallel."""
