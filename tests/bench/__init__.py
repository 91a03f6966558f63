"""What the project promises about its hardware, measured: ``make bench``."""
