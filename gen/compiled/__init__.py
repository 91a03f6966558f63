"""Designs compiled to programs: with Verilator, or with Yosys' CXXRTL and a C++ compiler.

:mod:`.observed` makes the design of a network, :mod:`.memories` lifts what its memories hold out
of it, :mod:`.compiler` compiles any design with any C++ program that drives it, and :mod:`.jobs`
runs the one that drives networks.
"""
