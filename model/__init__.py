"""The torch side: data, training, quantisation, and the way from a torch module to a NetworkSpec."""
