"""Recordings and images: where they come from, and how they become a net's input."""
