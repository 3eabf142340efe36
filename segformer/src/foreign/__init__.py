"""What published weights were made for, beside the weights themselves."""
