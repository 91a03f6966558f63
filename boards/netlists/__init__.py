"""Finished designs as Verilog: what the tools made, read back, so that it can be simulated."""
