"""From real numbers to the integers of the contract, and training through them."""
