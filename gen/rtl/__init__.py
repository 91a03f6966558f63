"""Amaranth components. Data flows: input beats → array → router → … → readout → result beats."""
