"""Label pictures as they stand in their files, and what their values and colours stand for."""
