"""Boards: tops that request pins, bitstreams, and the host side of the wire."""
