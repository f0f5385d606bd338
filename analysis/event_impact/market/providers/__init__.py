"""Where prices come from: the only modules that touch the network."""
