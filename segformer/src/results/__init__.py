"""What the network finds: inference, evaluation, metrics, reports and pictures."""
