"""When spiking pays: the energy of a spiking net and of its quantised twin (arXiv 2409.08290)."""
