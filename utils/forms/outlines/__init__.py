"""Outlines of objects: their pixels, and labels made of objects and objects of labels."""
