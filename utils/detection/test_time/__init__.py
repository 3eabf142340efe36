"""What evaluation and inference may do beyond the plain selection: mirrored pictures, other suppression, a filter."""
