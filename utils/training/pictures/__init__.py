"""Pictures of a training: what the network is fed, and what it predicts while it learns."""
